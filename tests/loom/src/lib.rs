//! What handle and driver share: one lock, wakers, tickets, mailboxes, marks that say "it is over". Each scenario is run in
//! every order in which its threads can come to those (up to a number of forced switches between them).
//!
//! Time stands still here, so a task that is not woken sleeps for ever; and that all sleep is what the checker finds.

#![cfg(all(loom, test))]

mod scenarios;
#[path = "../../../adapters/driver/tests/world/toy.rs"]
mod toy;
mod world;
