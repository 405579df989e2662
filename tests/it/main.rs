//! One binary of black-box tests, a module an area.

mod support;

mod fetching;
