//! What can happen to a router, in words.

use std::{fmt, net::IpAddr, time::Duration};

use serde::Serialize;

use super::Remark;
use crate::{
    proto::{Cause, Transition},
    units::{Centis, Priority, Time, nanos},
};

/// What happened to a router.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words that are written for each say what it is")]
pub enum What {
    Joined {
        priority: Priority,
        interval: Centis,
        version: u8,
    },
    Reconfigured {
        priority: Priority,
        interval: Centis,
        version: u8,
    },
    Left,
    Started {
        source: IpAddr,
    },
    Resumed {
        source: IpAddr,
        lease: Time,
    },
    Heard {
        from: IpAddr,
        priority: u8,
        interval: Centis,
    },
    Fault(Cause),
    ShutDown,
    Requested,
    FoundDead {
        from: IpAddr,
        #[serde(with = "nanos")]
        wait: Duration,
    },
    Revoked,
    Unsent,
    Priority(Priority),
    Leased {
        #[serde(with = "nanos")]
        span: Duration,
    },
    LeaseEnded,
    Resigned,
    Draining {
        #[serde(with = "nanos")]
        span: Duration,
    },
    Transition(Transition),
    Steady(Steady),
    Gap {
        missing: u64,
    },
    /// Of a BFD session.
    Bfd(Remark),
}

/// What went on as before since the last entry of a router.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Steady {
    /// How often the lease was renewed.
    pub renewals: u64,
    /// The longest time between two of them.
    #[serde(with = "nanos")]
    pub longest: Duration,
    /// How many adverts were told that say what was said before.
    pub adverts: u64,
}

impl Steady {
    /// Takes what there is, if there is anything.
    pub(super) fn take(&mut self) -> Option<Self> {
        let taken = std::mem::take(self);
        (taken.renewals > 0 || taken.adverts > 0).then_some(taken)
    }

    /// Adds what went on before that.
    pub(super) fn add(&mut self, other: Self) {
        self.renewals += other.renewals;
        self.longest = self.longest.max(other.longest);
        self.adverts += other.adverts;
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { priority, interval, version } => {
                write!(f, "joins: VRRPv{version}, priority {priority}, every {interval}")
            }
            Self::Reconfigured { priority, interval, version } => {
                write!(f, "is reconfigured: VRRPv{version}, priority {priority}, every {interval}")
            }
            Self::Left => f.write_str("leaves the configuration"),
            Self::Started { source } => write!(f, "starts, sending from {source}"),
            Self::Resumed { source, .. } => write!(f, "goes on with a lease it found, sending from {source}"),
            Self::Heard { from, priority: 0, .. } => write!(f, "hears {from} resign"),
            Self::Heard { from, priority, interval } => {
                write!(f, "hears {from}: priority {priority}, every {interval}")
            }
            Self::Fault(cause) => write!(f, "cannot run: {cause}"),
            Self::ShutDown => f.write_str("is told to stop"),
            Self::Requested => f.write_str("is asked to hand over"),
            Self::FoundDead { from, wait } => {
                write!(f, "is told by BFD that {from} is dead, to wait {wait:?}")
            }
            Self::Revoked => f.write_str("finds its lease revoked"),
            Self::Unsent => f.write_str("cannot send its advert"),
            Self::Priority(priority) => write!(f, "has priority {priority} now"),
            Self::Leased { span } => write!(f, "takes a lease of {span:.1?}"),
            Self::LeaseEnded => f.write_str("ends its lease"),
            Self::Resigned => f.write_str("sends priority 0"),
            Self::Draining { span } => write!(f, "serves what is under way for {span:.1?}"),
            Self::Transition(Transition { from, to, reason }) if from == to => {
                write!(f, "still {to}: {reason}")
            }
            Self::Transition(Transition { from, to, reason }) => write!(f, "{from} -> {to}: {reason}"),
            Self::Steady(Steady { renewals: 0, adverts, .. }) => write!(f, "({adverts} more adverts heard)"),
            Self::Steady(Steady { renewals, longest, adverts: 0 }) => {
                write!(f, "(lease renewed {renewals} times, {longest:.1?} apart at most)")
            }
            Self::Steady(Steady { renewals, longest, adverts }) => write!(
                f,
                "(lease renewed {renewals} times, {longest:.1?} apart at most; {adverts} more adverts heard)"
            ),
            Self::Gap { missing } => write!(f, "{missing} records are missing here"),
            Self::Bfd(remark) => remark.fmt(f),
        }
    }
}
