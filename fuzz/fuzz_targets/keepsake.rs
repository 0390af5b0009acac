//! Any bytes as a keepsake: read or refused, and if it was read, recalled.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| steadfast_fuzz_bodies::keepsake(data));
