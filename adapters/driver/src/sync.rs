//! What several threads share, and nothing else does it: locks, and flags.
//!
//! With `--cfg loom` these are a model checker's, which runs a scenario in all orders in which its threads can take them:
//! `tests/loom`.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
