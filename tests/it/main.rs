//! Black-box tests: through the binary, over HTTP, against a scripted origin and a real SQLite file.

mod architecture;
mod config;
mod publishing;
mod reading;
