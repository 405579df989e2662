//! The demo: fictional outlets, their feed documents, an origin that serves them, a config that polls it.
//!
//! The outlets and their news are invented and written for the project. Documents carry dates relative
//! to the demo's start, so that the page looks alive; nothing here leaves the machine or reads the
//! clock: callers give the start, elapsed time is counted from there.

mod config;
mod document;
mod origin;
mod outlets;

pub use config::write_config;
pub use origin::Origin;
pub use outlets::{OUTLETS, Outlet};
