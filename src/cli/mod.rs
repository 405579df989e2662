//! The command line: one file a command, no logic beyond arguments and printing.
pub mod parse;
