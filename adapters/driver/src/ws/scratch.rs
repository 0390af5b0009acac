//! Where does a read go? Into memory that all links of a thread share: a read can be large and an idle link keeps
//! nothing.

use std::cell::Cell;

/// How much is read at once. A call of the operating system costs as much as reading this, so more gains little.
pub(super) const SCRATCH: usize = 64 << 10;

thread_local! {
    static SHARED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Takes the memory of this thread, [`SCRATCH`] bytes. A second link that asks before it is given back, because the
/// one streams over the other, gets memory of its own.
pub(super) fn take() -> Vec<u8> {
    let mut scratch = SHARED.take();
    scratch.resize(SCRATCH, 0);
    scratch
}

/// Gives it back.
pub(super) fn give_back(scratch: Vec<u8>) {
    SHARED.set(scratch);
}
