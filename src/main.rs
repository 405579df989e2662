//! The `veille` command: parses its arguments, runs one command, prints its error.

use std::process::ExitCode;

fn main() -> ExitCode {
    veille::cli::main()
}
