//! Any bytes as a document: nothing panics, nothing takes long, and what comes out is bounded and safe.
#![no_main]

#[path = "../reading.rs"]
mod reading;

libfuzzer_sys::fuzz_target!(|input: &[u8]| reading::exercise(input));
