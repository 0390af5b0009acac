//! Any order of commands, reports and times: no promise of a session is broken.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| steadfast_fuzz_bodies::session(data));
