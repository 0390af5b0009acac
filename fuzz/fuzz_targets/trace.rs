//! Any text as a trace: read or refused, and if it was read, recorded and replayed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| steadfast_fuzz_bodies::trace(data));
