//! A small world with virtual time, for testing what is built on `steadfast`.
//!
//! Three things, each of use without the others:
//!
//! * [`Checker`]: the invariants of a session, checked after every turn. [`Checked`] is a machine around
//!   another one that does the checking by itself, so a model, a simulation and a fuzz target all use the
//!   same one.
//! * [`Toy`]: a protocol with a login, acknowledgements and probes, small enough to be read in the output of
//!   a test.
//! * [`World`]: one session, one scripted server and a network with seeded faults. An hour of it takes
//!   milliseconds, and the same [`Scenario`] runs in the same way for ever.
//!
//! ```
//! use core::time::Duration;
//! use steadfast_sim::{Faults, Scenario, World};
//!
//! let mut scenario = Scenario::new(17);
//! scenario.app.messages = 100;
//! scenario.faults = Faults::seeded(17, 5, Duration::from_secs(60));
//! let story = World::new(scenario).run();
//! assert_eq!(story.violations, Vec::<String>::new());
//! assert_eq!(story.outcomes.len(), 100);
//! ```
#![forbid(unsafe_code)]

mod checker;
mod digest;
mod network;
mod scenario;
mod seeds;
mod server;
mod toy;
mod whims;
mod world;

pub use checker::{Brief, Checked, Checker, Got, Sent, Spy};
pub use digest::Digest;
pub use scenario::{App, Door, Fault, Faults, Gives, Host, Network, Scenario, Script, Then};
pub use seeds::each_seed;
pub use toy::Toy;
pub use whims::{Whim, Whims};
pub use world::{Story, World};
