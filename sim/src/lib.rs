//! A small world with virtual time.
