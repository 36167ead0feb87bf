//! What a daemon that is gone left under the pins.

use std::{io, net::IpAddr, os::fd::AsFd as _, sync::atomic::Ordering};

use aya::maps::MapInfo;
use hadp_common::{
    LAYOUT_VERSION,
    key::{ADVERT_KEYS_LEN, AdvertKey},
    router::{LEASE_RESIGNED, MAX_ROUTERS, Router},
};

use super::{
    election::LEASE,
    guards::Guards,
    mapped::MappedArray,
    open::Xdp,
    pins::{self, MAPS, PinLock},
    sys,
};
use crate::{proto::Slot, units::Time};

/// What the pins hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Legacy {
    /// Nothing, or what a daemon left that died before it had made all of it.
    Nothing,
    /// The maps of a daemon of the same layout.
    Adoptable,
    /// The maps of a daemon of another layout.
    Foreign {
        /// The layout; 0 if it does not even say so.
        layout: u32,
    },
}

/// What a lease is bound to, besides its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// Nothing.
    Free,
    /// It has been resigned, and waits for a successor.
    Resigned,
    /// A guard limits it, and nobody renews that: the BFD sessions that it stood for went with their daemon, and the
    /// neighbours take over when they find that out.
    Guarded {
        /// When the guard lapses, shortly before they do.
        until: Time,
    },
}

/// A router that another daemon left in its slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inherited {
    /// The slot.
    pub slot: Slot,
    /// The interface it ran on.
    pub ifindex: u32,
    /// Its identifier.
    pub vrid: u8,
    /// Its family, 4 or 6.
    pub family: u8,
    /// When its lease ends; [`Time::ZERO`] if it was not Active.
    pub lease: Time,
    /// What speaks against going on with the lease.
    pub bound: Bound,
    /// The address it sent from.
    pub source: Option<IpAddr>,
}

impl PinLock {
    /// Tells what is under the pins.
    pub fn legacy(&self) -> Legacy {
        match pins::layout(&self.dir().join("SETTINGS")) {
            None => Legacy::Nothing,
            Some(LAYOUT_VERSION) if MAPS.iter().all(|name| self.dir().join(name).exists()) => {
                Legacy::Adoptable
            }
            Some(LAYOUT_VERSION) => Legacy::Nothing,
            Some(layout) => Legacy::Foreign { layout },
        }
    }

    /// Revokes every lease under the pins, whatever their layout, and returns how many still ran at `now`.
    ///
    /// The lease is the first word of an entry of `ROUTERS` in every layout there ever was.
    ///
    /// # Errors
    ///
    /// When the map cannot be opened or mapped; none is there is no error.
    pub fn revoke_leases(&self, now: Time) -> io::Result<usize> {
        let path = self.dir().join("ROUTERS");
        if !path.exists() {
            return Ok(0);
        }
        let info = MapInfo::from_pin(&path).map_err(io::Error::other)?;
        let words = usize::try_from(info.value_size()).map_err(io::Error::other)?.div_ceil(8);
        let pin = sys::open_pin(&path)?;
        let routers = MappedArray::<u64>::with_words(pin.as_fd(), info.max_entries(), words)?;
        let mut ran = 0;
        for entry in (0..info.max_entries()).filter_map(|slot| routers.entry(slot)) {
            ran += usize::from(entry.word(LEASE, Ordering::Acquire) > now.as_nanos());
            entry.set_word(LEASE, 0, Ordering::Release);
        }
        Ok(ran)
    }
}

impl Xdp {
    /// Returns the routers that are in the tables: after opening, those that another daemon left.
    pub fn inherited(&self) -> Vec<Inherited> {
        let sources = self.sources();
        let occupant = |index: u32| {
            let router: Router = self.maps.routers.load(index)?;
            let source = sources.iter().find(|(slot, _)| *slot == index).map(|(_, source)| *source);
            let (lease, resigned) =
                (router.lease_until_ns & !LEASE_RESIGNED, router.lease_until_ns & LEASE_RESIGNED != 0);
            let guard = if router.guard == 0 { Guards::OPEN } else { self.maps.guards.load(router.guard) };
            (router.ifindex != 0).then_some(Inherited {
                slot: Slot::new(index)?,
                ifindex: router.ifindex,
                vrid: router.vrid,
                family: router.family,
                lease: Time::from_nanos(lease),
                bound: match (resigned, guard) {
                    (true, _) => Bound::Resigned,
                    (false, Guards::OPEN) => Bound::Free,
                    (false, until) => Bound::Guarded { until },
                },
                source,
            })
        };
        (0..MAX_ROUTERS).filter_map(occupant).collect()
    }

    /// Returns the source address of every slot, from the half of `ADVERT_KEYS` in force.
    fn sources(&self) -> Vec<(u32, IpAddr)> {
        let half = self.maps.settings.load(0).map_or(0, |settings| settings.half & 1);
        let keys = (0..ADVERT_KEYS_LEN).filter_map(|index| {
            let entry = self.maps.advert_keys.entry(half * ADVERT_KEYS_LEN + index)?;
            // The interface and the slot are the first word: most entries are free.
            (entry.word(0, Ordering::Relaxed) != 0).then(|| entry.load::<AdvertKey>())
        });
        keys.filter(|key| key.ifindex != 0).map(|key| (key.slot, key.source.into())).collect()
    }

    /// Revokes the lease of a router that nobody here goes on with.
    pub fn give_up(&mut self, slot: Slot) {
        self.election.store_lease(slot.index(), Time::ZERO);
    }
}
