//! Tests of the sessions.
