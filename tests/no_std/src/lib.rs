//! The core in a program without std: its own allocator, its own panic handler, nothing else.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::{
    alloc::{GlobalAlloc, Layout},
    panic::PanicInfo,
    ptr,
};

use steadfast::{Commands, Config, Frame, Machine, Plain, Protocol, Session, Timestamp};

/// Has no memory to give. This library is linked, never run.
struct Nothing;

// SAFETY: returning null is always allowed, and so nothing is ever given back.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Pulls the whole of a `plain` session into the library.
#[unsafe(no_mangle)]
pub extern "C" fn steadfast_plain(seed: u64, now: u64) -> u64 {
    let Ok(session) = Session::new(Plain, Config::default(), seed) else { return 0 };
    turns(session, now, Frame::from("hello"))
}

/// The same for `json`.
#[cfg(feature = "json")]
#[unsafe(no_mangle)]
pub extern "C" fn steadfast_json(seed: u64, now: u64) -> u64 {
    use steadfast::protocol::json::{Json, Message};

    let Ok(session) = Session::new(Json::new(seed), Config::default(), seed) else { return 0 };
    turns(session, now, Message::bare("hello"))
}

/// A few turns; what they answer does not matter.
fn turns<P: Protocol>(mut session: Session<P>, now: u64, message: P::Message) -> u64 {
    let mut actions = Vec::new();
    let now = Timestamp::from_micros(now);
    session.connect(now, &mut actions);
    let _ = session.send(now, message, &mut actions);
    session.wake(now, &mut actions);
    session.next_deadline().map_or(0, Timestamp::as_micros)
}
