//! What the heartbeat says, and to whom: guards and packets to the datapath, news to the election, counts to the status.

use std::{io, time::Duration};

use super::{beat::Outcome, keeping::Kept, order::Inbox};
use crate::{
    proto::bfd::{Promises, Received, SessionId, Verdict},
    units::Time,
};

/// Where guards are stored.
pub(crate) trait GuardTable: Send {
    /// Stores when a guard lapses: one exchange, no system call. False, and nothing is stored, where the datapath has ended
    /// the guard.
    fn renew(&self, guard: u32, until: Time) -> bool;

    /// Notes that the datapath has ended a guard, which stays lapsed: should it be ended once more, that shows.
    fn note_end(&self, guard: u32);

    /// Tells whether the datapath has ended a guard.
    fn is_ended(&self, guard: u32) -> bool;
}

impl GuardTable for crate::datapath::Guards {
    fn renew(&self, guard: u32, until: Time) -> bool {
        Self::renew(self, guard, until)
    }

    fn note_end(&self, guard: u32) {
        Self::note_end(self, guard);
    }

    fn is_ended(&self, guard: u32) -> bool {
        Self::is_ended(self, guard)
    }
}

/// Where authenticated packets are recorded.
pub(crate) trait Record: Send {
    /// Records a session's last packet.
    fn record(&self, session: SessionId, received: Received);
}

impl Record for crate::datapath::BfdSessions {
    fn record(&self, session: SessionId, received: Received) {
        Self::record(self, session, received);
    }
}

/// What the heartbeat tells.
#[derive(Debug)]
pub(crate) enum News {
    /// A guard has lapsed: every Active router of it must step down, and then the guard is to be re-armed.
    Lapsed(u32),
    /// A session's packets do not leave any more.
    Failing(SessionId, io::Error),
    /// An authenticated packet changes something, or polls.
    Packet(SessionId, Received),
    /// The machine does not keep a session's pace, and has not for seconds.
    Behind {
        /// The session.
        session: SessionId,
        /// The interval that its packets should have, before jitter.
        asked: Duration,
        /// The one they have.
        kept: Duration,
    },
}

/// Counts a packet, and tells if it is news that it did not leave.
pub(super) fn settle(inbox: &Inbox, news: &dyn Fn(News), session: SessionId, outcome: Outcome) {
    inbox.shown.count(session, matches!(outcome, Outcome::Left));
    if let Outcome::Failed(error) = outcome {
        news(News::Failing(session, error));
    }
}

/// Shows at what pace a session's packets leave, where that is not the one asked for.
pub(super) fn show_pace(inbox: &Inbox, news: &dyn Fn(News), session: SessionId, asked: Duration, pace: Kept) {
    match pace {
        Kept::Open => {}
        Kept::Well => inbox.shown.keep(session, None),
        Kept::Short(kept) => inbox.shown.keep(session, Some(kept)),
        Kept::News(kept) => {
            inbox.shown.keep(session, Some(kept));
            news(News::Behind { session, asked, kept });
        }
    }
}

/// Stores a guard, or tells that it has lapsed.
pub(super) fn carry_out<G: GuardTable>(
    table: &G,
    news: &dyn Fn(News),
    promises: &mut Promises,
    guard: u32,
    verdict: Verdict,
) {
    match verdict {
        Verdict::Store(until) if !table.renew(guard, until) => end(table, news, promises, guard),
        Verdict::Lapsed => news(News::Lapsed(guard)),
        Verdict::Store(_) | Verdict::Keep => {}
    }
}

/// Tells that the datapath has ended a guard. Noted first: if it is ended again while the election draws the conclusions, that is
/// told once more.
pub(super) fn end<G: GuardTable>(table: &G, news: &dyn Fn(News), promises: &mut Promises, guard: u32) {
    table.note_end(guard);
    promises.ended(guard);
    news(News::Lapsed(guard));
}
