//! The scheduler: what is due, and when it is due next.
