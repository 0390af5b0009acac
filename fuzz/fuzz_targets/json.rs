//! Any bytes as a frame of the `json` protocol, and any message through it and back.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| steadfast_fuzz_bodies::json(data));
