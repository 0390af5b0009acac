//! Any way in which links can die: what is kept until acknowledged arrives, in order.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| steadfast_fuzz_bodies::outbox(data));
