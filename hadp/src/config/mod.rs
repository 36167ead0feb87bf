//! The configuration language: keepalived.conf, read into the [`model`](crate::model).
