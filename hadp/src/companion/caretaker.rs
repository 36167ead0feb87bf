//! Looking after the routers of a daemon that has died.

use std::{io, path::Path, time::Duration};

use tracing::{info, warn};

use super::{estate::Estate, record::Record, voice::Voice};
use crate::{
    datapath::{Leases, Renewal},
    proto::Slot,
    units::Time,
};

/// How long routers are kept Active without a daemon, at most: by then a new one has gone on, or it will not soon.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How soon a router is tried again whose advert did not leave.
const AGAIN: Duration = Duration::from_millis(1);

/// What it takes to look after routers, ready before it is needed.
#[derive(Default)]
pub(super) struct Caretaker {
    leases: Option<Leases>,
    voice: Voice,
    wards: Vec<Ward>,
    until: Time,
}

/// A router that is kept Active.
struct Ward {
    slot: Slot,
    record: Record,
    /// When its next advert is due.
    next: Time,
}

impl Caretaker {
    /// Gets ready: opens what a daemon has made, and keeps interfaces receiving to virtual MACs whatever becomes of it.
    pub(super) fn prepare(&mut self, estate: &Estate, pins: &Path) {
        match Leases::open(pins) {
            Ok(leases) => self.leases = Some(leases),
            Err(error) => warn!(%error, "cannot look after the leases, should the daemon die"),
        }
        if let Err(error) = self.listen(estate) {
            warn!(%error, "cannot speak for the daemon, should it die");
        }
        // Once through, so that nothing of it has to be read from a disk first when it counts.
        self.take_care(estate, Time::from_nanos(u64::MAX));
        let _: Option<Time> = self.tend(Time::ZERO);
    }

    /// Makes interfaces receive to the virtual MACs of the routers, also while no daemon asks them to.
    pub(super) fn listen(&mut self, estate: &Estate) -> io::Result<()> {
        let socket = self.voice.prepare()?;
        for (ifindex, mac) in estate.routers().filter_map(|(_, record)| record.virtual_mac) {
            // An interface that went is heard of by the daemon; one that is asked twice counts.
            drop(socket.listen_to(ifindex, mac));
        }
        Ok(())
    }

    /// Starts to keep every router Active whose lease runs at `now`.
    pub(super) fn take_care(&mut self, estate: &Estate, now: Time) {
        let Some(leases) = &self.leases else { return };
        self.until = now + PATIENCE;
        let ward = |(slot, lease): (Slot, Time)| {
            let record = estate.router(slot)?;
            // The lease tells when the last advert was sent.
            let next = lease - record.lease_span + record.interval;
            Some(Ward { slot, record, next })
        };
        self.wards = leases.owned(now).into_iter().filter_map(ward).collect();
        if !self.wards.is_empty() {
            info!(routers = self.wards.len(), "keeping virtual routers Active until a new daemon goes on");
        }
    }

    /// Sends the adverts that are due, renews the leases they are for, and returns when it is to be called again; `None` when
    /// nothing is kept, and [`PATIENCE`] or everything else is over.
    pub(super) fn tend(&mut self, now: Time) -> Option<Time> {
        let leases = self.leases.as_ref()?;
        let voice = &mut self.voice;
        self.wards.retain_mut(|ward| {
            if ward.next > now {
                return true;
            }
            // Neither a lease that has run out nor a guard that has lapsed is brought back: a Backup may have taken over.
            if leases.lease(ward.slot).is_none_or(|lease| lease <= now) {
                return false;
            }
            if !leases.is_guarded(ward.slot, now) {
                leases.revoke(ward.slot);
                drop(voice.say(&ward.record.resign)); // the Backups know by the silence of BFD
                return false;
            }
            match voice.say(&ward.record.advert) {
                Ok(()) => {
                    ward.next = now + ward.record.interval;
                    leases.renew(ward.slot, now + ward.record.lease_span) == Renewal::Stored
                }
                Err(_) => {
                    ward.next = now + AGAIN;
                    true
                }
            }
        });
        self.wards.iter().map(|ward| ward.next).min()
    }

    /// Tells whether routers have been kept Active for as long as they may be.
    pub(super) fn is_over(&self, now: Time) -> bool {
        !self.wards.is_empty() && now >= self.until
    }

    /// Stops keeping routers Active: a daemon does, or nobody.
    pub(super) fn let_go(&mut self) {
        self.wards.clear();
    }

    /// Gives up every router: revokes all leases, then resigns for those that this node owned, so that nobody waits.
    pub(super) fn give_up(&mut self, estate: &Estate, now: Time) {
        self.let_go();
        let Some(leases) = &self.leases else { return };
        let owned = leases.owned(now);
        for (slot, _) in &owned {
            leases.revoke(*slot);
        }
        let mut unsaid = 0;
        for record in owned.iter().filter_map(|(slot, _)| estate.router(*slot)) {
            unsaid += u32::from(self.voice.say(&record.resign).is_err());
        }
        if !owned.is_empty() {
            info!(routers = owned.len(), unsaid, "virtual routers handed over: the daemon is dead");
        }
    }
}
