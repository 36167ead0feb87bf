//! The vocabulary: every keyword that keepalived knows, by the block it stands in.

mod bfd;
mod checkers;
mod global;
mod group;
mod instance;
mod keyword;
mod server;
mod top;
mod track;

#[cfg(test)]
mod tests;

pub(super) use keyword::{Body, Keyword, Status, Vocab, takes_script};
pub(super) use top::TOP;

use keyword::{ANY, kw};

/// Every vocabulary, for a keyword that stands in the wrong block.
pub(super) static ALL: &[&Vocab] = &[
    &top::TOP,
    &global::GLOBAL,
    &instance::INSTANCE,
    &instance::AUTHENTICATION,
    &instance::AUTH_HMAC,
    &group::SYNC_GROUP,
    &group::GARP_GROUP,
    &group::TRACK_GROUP,
    &track::SCRIPT,
    &track::PROCESS,
    &track::FILE,
    &bfd::INSTANCE,
    &server::SERVER,
    &server::REAL_SERVER,
    &server::SSL,
    &checkers::HTTP,
    &checkers::URL,
    &checkers::TCP,
    &checkers::UDP,
    &checkers::SMTP,
    &checkers::HOST,
    &checkers::DNS,
    &checkers::MISC,
    &checkers::PING,
    &checkers::FILE,
    &checkers::BFD,
];
