//! Any stream of frames, cut anywhere, through the transport and through tungstenite alone.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| steadfast_fuzz_bodies::ws(data));
