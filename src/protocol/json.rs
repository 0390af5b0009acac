//! The `json` protocol (to come).
