//! What differs between what runs and a configuration: pure, so that it can be tested.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    model::{BfdInstance, Router},
    proto::{Slot, bfd::SessionId},
    shell::placement,
    units::Priority,
};

/// A router that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running<'a, Id, T> {
    /// Its place.
    pub(super) id: Id,
    /// As it was configured.
    pub(super) is: &'a T,
    /// Whether it has left the configuration already, and is still there.
    pub(super) leaving: bool,
}

/// What is to be done; those of the configuration are named by their place in it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Steps<Id> {
    /// They stay as they are.
    pub(super) same: Vec<(Id, usize)>,
    /// They change while they run.
    pub(super) changed: Vec<(Id, usize)>,
    /// They are new.
    pub(super) added: Vec<usize>,
    /// They leave; those that come back, because of a change that no running one can take up, with that.
    pub(super) leave: Vec<(Id, Option<&'static str>)>,
    /// They wait for one that leaves, or change once it has left.
    pub(super) waiting: Vec<usize>,
}

impl<Id> Default for Steps<Id> {
    fn default() -> Self {
        Self { same: vec![], changed: vec![], added: vec![], leave: vec![], waiting: vec![] }
    }
}

/// Compares routers: they are the same ones by what they are to their peers.
///
/// An address belongs to one router at a time, so that a router which gets one from a router that leaves waits for that.
pub(super) fn routers(running: &[Running<'_, Slot, Router>], wanted: &[Router]) -> Steps<Slot> {
    let key = |router: &Router| (router.interface.clone(), router.family as u8, router.vrid.get());
    steps(running, wanted, key, another_router, |router| {
        let place = |vip: &crate::model::Vip| (vip.dev.clone(), vip.addr);
        placement::vips(router).map(place).collect::<BTreeSet<(String, IpAddr)>>()
    })
}

/// Compares BFD sessions: they are the same ones by what tells their packets apart.
pub(super) fn sessions(
    running: &[Running<'_, SessionId, BfdInstance>],
    wanted: &[BfdInstance],
) -> Steps<SessionId> {
    let key = |session: &BfdInstance| {
        (session.neighbor, session.source, session.interface.clone(), session.multihop)
    };
    let another = |old: &BfdInstance, new: &BfdInstance| {
        (old.auth != new.auth).then_some("auth_sha1, which both ends have to change")
    };
    steps(running, wanted, key, another, |_| BTreeSet::<()>::new())
}

/// Returns what makes another router of one, as its peers see it.
fn another_router(old: &Router, new: &Router) -> Option<&'static str> {
    let is_owner = |router: &Router| router.priority == Priority::OWNER;
    if old.version.number() != new.version.number() {
        Some("version")
    } else if is_owner(old) != is_owner(new) {
        Some("priority, to or from 255")
    } else {
        None
    }
}

fn steps<Id: Copy, T: PartialEq, K: PartialEq, H: Ord>(
    running: &[Running<'_, Id, T>],
    wanted: &[T],
    key: impl Fn(&T) -> K,
    another: impl Fn(&T, &T) -> Option<&'static str>,
    holds: impl Fn(&T) -> BTreeSet<H>,
) -> Steps<Id> {
    let mut steps = Steps::default();
    let wanted_keys: Vec<K> = wanted.iter().map(&key).collect();
    let mut held = BTreeSet::new();
    // Which of the running ones stays, for each of the configuration; those that leave keep their place till then.
    let mut stays: Vec<Option<(Id, &T)>> = wanted.iter().map(|_| None).collect();
    let mut taken = vec![false; wanted.len()];
    for one in running {
        let own = key(one.is);
        let match_ = wanted_keys.iter().position(|wanted| *wanted == own);
        let new = match_.and_then(|index| Some((index, wanted.get(index)?)));
        let reason = new.and_then(|(_, new)| another(one.is, new));
        match new {
            Some((index, _)) if !one.leaving && reason.is_none() => {
                if let Some(place) = stays.get_mut(index) {
                    *place = Some((one.id, one.is));
                }
            }
            _ => {
                held.append(&mut holds(one.is));
                if let Some(taken) = match_.and_then(|index| taken.get_mut(index)) {
                    *taken = true;
                }
                if !one.leaving {
                    steps.leave.push((one.id, reason));
                }
            }
        }
    }
    let mut waits = taken;
    loop {
        let mut more = BTreeSet::new();
        for ((new, stays), waits) in wanted.iter().zip(&stays).zip(&mut waits) {
            let changes = stays.is_none_or(|(_, old)| old != new);
            if changes && !*waits && !holds(new).is_disjoint(&held) {
                *waits = true;
                // What it has it keeps meanwhile, and who is to get that waits too.
                more.extend(stays.map(|(_, old)| holds(old)).into_iter().flatten());
            }
        }
        if more.is_subset(&held) {
            break;
        }
        held.append(&mut more);
    }
    for (index, ((new, stays), waits)) in wanted.iter().zip(stays).zip(waits).enumerate() {
        match stays {
            Some((id, old)) if old == new => steps.same.push((id, index)),
            _ if waits => steps.waiting.push(index),
            Some((id, _)) => steps.changed.push((id, index)),
            None => steps.added.push(index),
        }
    }
    steps
}

#[cfg(test)]
mod tests;
