//! The parts of a session: plain structs that know nothing of each other. A part takes the time where it
//! needs it and chance where it needs it, and answers with a small value that says what happened.

mod activity;
mod backoff;
mod credentials;
mod dedup;
mod endpoints;
mod fingerprint;
mod flow;
mod heartbeat;
mod history;
mod identity;
mod lane;
mod latency;
mod login;
mod network;
mod outbox;
mod pacing;
mod patience;
mod presence;
mod proof;
mod quality;
mod queueing;
mod refresh;
mod samples;
mod subscriptions;
mod window;

pub(crate) use activity::Activity;
pub(crate) use backoff::Backoff;
pub use credentials::AskWhy;
pub(crate) use credentials::{Ask, CONCEALED, Credentials, Refusal};
pub(crate) use dedup::{Dedup, Known, Span};
pub use endpoints::BadEndpoints;
pub(crate) use endpoints::{Destination, Endpoints, Round};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use flow::{Flow, Totals};
pub(crate) use heartbeat::{Beat, Heartbeat, Pulse};
pub(crate) use history::History;
pub(crate) use identity::Ids;
#[cfg(feature = "json")]
pub(crate) use identity::base36;
pub(crate) use lane::{Lane, Passing};
pub(crate) use latency::Latency;
pub(crate) use login::Login;
pub(crate) use network::{Network, Wait};
pub(crate) use outbox::{Ended, Newcomer, Next, Outbox, Place, Room, Standing};
pub(crate) use pacing::{Draw, Pacing, Whose};
pub(crate) use patience::Patience;
pub use patience::{Blame, Limit};
pub(crate) use presence::{Presence, Shift};
pub(crate) use proof::Proof;
pub use quality::Level;
pub(crate) use quality::{Quality, Signs};
pub(crate) use queueing::Queueing;
pub(crate) use refresh::{Overdue, Refresh};
pub(crate) use subscriptions::{Errand, Held, Standings, Step, Subscriptions, TopicNo, Wish};
pub(crate) use window::Flights;
