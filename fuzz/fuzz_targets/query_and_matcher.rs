//! Any bytes as a query and a text: nothing panics, and all ways to ask agree.
#![no_main]

#[path = "../exercise.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|input: &[u8]| exercise::exercise(input));
