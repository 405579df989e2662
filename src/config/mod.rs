//! The config: files to validated settings, with diagnostics that name file, line and column.
//!
//! Pure but for [`load`]. Nothing is silently ignored, and all errors are reported at once.

mod settings;
pub use settings::*;
