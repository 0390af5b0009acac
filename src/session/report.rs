//! Reports: what a transport saw.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;

use crate::{Cause, Frame, Recovery, Text};

/// All that a transport can say about a link. Not `non_exhaustive`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The link is open.
    Up(Box<Handshake>),
    /// A frame came. Pings and pongs only as signs of life: the transport answers pings by itself.
    Frame(Frame),
    /// So many frames of this link, counted since `Up`, are with the operating system.
    Flushed {
        /// How many, all in all.
        frames: u64,
    },
    /// A write that had been blocked has moved: the peer's host took something.
    Progress,
    /// The driver holds reading back because the application is slow.
    Paused,
    /// It reads again.
    Resumed,
    /// The link is gone, or could not be had.
    Down(Box<Down>),
}

/// The end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// Why.
    pub cause: Cause,
    /// Frames after the first so many, counted since `Up`, have certainly not left.
    pub left: u64,
    /// What the host, asked by the driver, wants done about it. It comes before the protocol and the table.
    pub verdict: Option<Recovery>,
}

/// What was negotiated when a link opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshake {
    /// The subprotocol that the server took.
    pub subprotocol: Option<Text>,
    /// The address of the peer.
    pub address: Option<Text>,
    /// The headers of the answer that the host asked for.
    pub headers: Vec<(Text, Bytes)>,
    /// Whether this transport can send ping frames. (A browser cannot.)
    pub pings: bool,
}

impl Default for Handshake {
    fn default() -> Self {
        Self { subprotocol: None, address: None, headers: Vec::new(), pings: true }
    }
}

const _: () = assert!(size_of::<super::Input<Frame>>() <= 64);
