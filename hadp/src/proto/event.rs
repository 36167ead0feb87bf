//! What happens to a router.

use std::{net::IpAddr, time::Duration};

use crate::units::{Centis, Priority, Time};

/// Something that happened, told to [`Router::handle`](super::Router::handle).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Event {
    /// The router's interface is up and has an address: the protocol starts (RFC 9568 §6.4.1).
    ///
    /// Told again while running, it renews the source address, and an Active router advertises and announces once
    /// more: what changed may be the link-layer address that clients remember.
    Startup {
        /// The address adverts are sent from, which also breaks ties (RFC 9568 §6.4.3).
        source: IpAddr,
    },
    /// The router cannot run: its interface is down, gone or without an address, or a tracked thing failed.
    Fault(Cause),
    /// The daemon stops, or the router leaves the configuration.
    Shutdown,
    /// A valid advert of another router was heard.
    Advert(Heard),
    /// An advert with a priority above 0 has left as far as is known, at this time: the lease may be renewed.
    ///
    /// This, [`AdvertFailed`](Self::AdvertFailed) or [`AdvertStuck`](Self::AdvertStuck) is told right after every such
    /// [`SendAdvert`](super::Action), before anything else; a takeover goes on only then.
    AdvertSent {
        /// When it was handed to the kernel.
        at: Time,
    },
    /// An advert with a priority above 0 did not leave.
    AdvertFailed,
    /// Adverts stay in a queue of this node: an earlier one that was told to have left has not. The peers' timers run from the
    /// last one that did leave. Also told after priority 0.
    AdvertStuck {
        /// When that one was handed to the kernel; [`Time::ZERO`] if none is known to have left.
        left: Time,
    },
    /// The operator wants another router to be Active (`hadp failover`): hand over, and do not preempt until that one is
    /// gone. Nobody there to take over: stay Active.
    Resign,
    /// Another daemon left this router with a lease that still runs: go on as Active, without a transition. In any state but
    /// Initialize it is a no-op.
    Resume {
        /// The address adverts are sent from.
        source: IpAddr,
        /// When that lease ends.
        lease: Time,
    },
    /// BFD found the router at `from` dead: if it is the Active router that this one follows, that acts as
    /// Active_Down_Timer's expiry, after `wait`: at once if that is zero.
    ///
    /// As before a timeout, the adverts that the datapath has recorded are told first: they say whom this router follows.
    ActiveDown {
        /// The address of its adverts.
        from: IpAddr,
        /// How long to let Backups of higher priority go first.
        #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
        wait: Duration,
    },
    /// The lease is gone although it has not run out: the datapath heard a router of higher rank and revoked it, or the
    /// guard (the promise of BFD packets that `fast_failover` rests on) has lapsed, or a neighbour whose Backups follow this
    /// router by BFD says that it hears none of those packets any more.
    ///
    /// What the datapath heard is told first: who yields to a router it knows of hands over without losing a packet.
    Revoked,
    /// The priority has changed, because of what is tracked; the frames have it already. Never to or from 255.
    Priority(Priority),
    /// A deadline may have passed; before [`next_deadline`](super::Router::next_deadline) it is a no-op.
    Timeout,
}

/// A valid advert, as the datapath recorded it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Heard {
    /// When it arrived; at most the `now` it is told at. Timers run from here.
    pub at: Time,
    /// Its source address.
    pub from: IpAddr,
    /// Its priority, 0..=255.
    pub priority: u8,
    /// Its interval; in v2, whole seconds converted.
    pub interval: Centis,
    /// Whether it lists the addresses configured here.
    pub addresses: AddressList,
}

/// How an advert's address list compares with the configured one; a difference is logged, never a reason to drop
/// (RFC 9568 §7.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum AddressList {
    /// The same.
    Same,
    /// Another.
    Differs,
}

/// Why a router cannot run.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[non_exhaustive]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Cause {
    /// It has not been started yet.
    #[error("not started")]
    NotStarted,
    /// The interface does not exist.
    #[error("interface does not exist")]
    NoInterface,
    /// The interface is down or has no carrier.
    #[error("interface is down")]
    LinkDown,
    /// The interface has no address to send from.
    #[error("interface has no source address")]
    NoSource,
    /// The datapath could not be attached to the interface.
    #[error("datapath is not attached to the interface")]
    NoDatapath,
    /// A tracked object has failed.
    #[error("a tracked object has failed")]
    Tracked,
    /// The daemon stops, or the router left the configuration.
    #[error("shut down")]
    Stopped,
}

impl Cause {
    /// Tells whether the link itself is gone, so that there is nobody a resignation could reach.
    pub const fn is_link(self) -> bool {
        match self {
            Self::NoInterface | Self::LinkDown | Self::NoSource | Self::NoDatapath => true,
            Self::NotStarted | Self::Tracked | Self::Stopped => false,
        }
    }

    /// Tells whether what is being handed over ends at once: there is nobody to hand it to, or nobody is waited for
    /// any more.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Stopped) || self.is_link()
    }
}
