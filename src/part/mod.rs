//! The parts of a session.
