//! What a router orders.

use std::ops::Range;

use crate::units::Time;

/// An order to the shell, to be carried out in the order given.
///
/// A takeover is `SetLease`, `SendAdvert`, and, once that advert has left, `RenewLease`, `AcquireVips`, `Announce`,
/// `Notify`: a client that hears the announcement is to find the address served. From a router that still answers,
/// `AcquireVips` comes first, and `SetLease` once the advert has left: that router hears it before this one owns. A
/// handover to a successor is `Drain`, `SetLease`, `Notify`, and `ReleaseVips` when the drain has ended. After
/// `SendAdvert` with priority 0 nothing is announced until the next takeover.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Action {
    /// Store when this node's ownership ends; [`Time::ZERO`] revokes it.
    SetLease {
        /// The end of the lease.
        until: Time,
    },
    /// Give a lease that the datapath still has another end, an earlier one where adverts turn out not to have left; where it
    /// has revoked it, store nothing and report `Revoked`.
    RenewLease {
        /// The new end of the lease.
        until: Time,
    },
    /// Store until when traffic is still admitted although ownership has ended; [`Time::ZERO`] ends that.
    Drain {
        /// The end.
        until: Time,
    },
    /// Send an advert with this priority, and, unless that is 0, report `AdvertSent`, `AdvertFailed` or `AdvertStuck`.
    SendAdvert {
        /// 0 resigns.
        priority: u8,
    },
    /// Send a GARP or unsolicited NA for each of these virtual addresses, `rounds` times over.
    Announce {
        /// Indices into the router's addresses: first `vips`, then `excluded_vips`.
        vips: Range<usize>,
        /// How many times over the range.
        rounds: u32,
    },
    /// Put every virtual address on its interface.
    AcquireVips,
    /// Take every virtual address off its interface.
    ReleaseVips,
    /// Tell the log, the status and the notify scripts.
    Notify(Transition),
}

/// A change of state, or, where both names are the same, of the reason to be in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Serialize))]
pub struct Transition {
    /// The state before, by name.
    pub from: &'static str,
    /// The state after, by name: `Initialize`, `Backup`, `Active` or `Resigning`.
    pub to: &'static str,
    /// What caused it.
    pub reason: Reason,
}

/// What caused a change of state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub enum Reason {
    /// The protocol started.
    #[error("started")]
    Started,
    /// The router owns the addresses (priority 255) and takes over at once.
    #[error("address owner")]
    Owner,
    /// No advert was heard for Active_Down_Interval.
    #[error("no advert from an Active router in time")]
    ActiveDown,
    /// BFD found the Active router dead.
    #[error("BFD: the Active router is dead")]
    BfdDown,
    /// The Active router resigned, and Skew_Time passed.
    #[error("the Active router resigned")]
    Resigned,
    /// This router's priority is higher than the Active router's.
    #[error("preempting a lower priority")]
    Preempted,
    /// Another router of higher priority, or of the same priority and a greater address, is Active.
    #[error("yielding to {from} with priority {priority}")]
    Yielded {
        /// Its address.
        from: std::net::IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// The router cannot run.
    #[error("{0}")]
    Fault(super::Cause),
    /// The daemon stops, or the router left the configuration.
    #[error("shutting down")]
    Shutdown,
    /// The operator wants another router to be Active.
    #[error("handing over on request")]
    Requested,
    /// Nobody took over from a router that resigned on request.
    #[error("nobody took over")]
    Unclaimed,
    /// Another daemon of this node left its lease, which still runs.
    #[error("going on with the lease of the daemon before")]
    Resumed,
    /// A successor was heard, or the lease that was left ran out.
    #[error("handed over")]
    HandedOver,
    /// The first advert of a takeover did not leave.
    #[error("cannot take over: no advert can be sent")]
    Unsendable,
    /// The lease ran out: no advert left in time, or the process did not run.
    #[error("lease expired: no advert could be sent in time")]
    LeaseExpired,
    /// The datapath or the guard ended the lease before its time.
    #[error("lease revoked")]
    Revoked,
}
