//! Going on as Active where another daemon of this node left off.

use std::net::IpAddr;

use super::{Action, Reason, Router, State, announce::Announcer, lease::Grant, state::Name};
use crate::units::Time;

impl Router {
    /// Takes over the lease of a daemon that is gone, or, when it has run out, starts from the beginning.
    ///
    /// Nobody noticed anything, so clients need no announcement; but the last advert is of unknown age, and the next one
    /// is due now. The datapath has the lease: storing it once more could undo a revocation.
    pub(super) fn resume(&mut self, now: Time, source: IpAddr, lease: Time, out: &mut Vec<Action>) {
        if lease <= now {
            return self.start(now, source, out);
        }
        self.set_out(now, source);
        self.owner = Some(source);
        self.grant = Grant { since: now, lease, kept: false };
        self.forget_drain(out);
        self.announcer = Announcer::resumed(now, &self.config);
        self.hold(out);
        self.told = Name("Active");
        self.since = now;
        self.enter(now, State::Active { next_advert: now, lease }, Reason::Resumed, out);
    }
}
