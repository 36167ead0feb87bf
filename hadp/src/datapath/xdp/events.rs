//! The ring buffer: what may change an election.

use std::{
    net::IpAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use aya::maps::{MapData, MapError, RingBuf};
use hadp_common::{
    bfd::BfdSession,
    event::{Event, EventKind, NO_SLOT},
    stats::DropReason,
};

use super::{open::Xdp, peers::Fingerprints};
use crate::{
    proto::{
        Heard, Slot,
        bfd::{Received, SessionId},
    },
    units::{Centis, Time},
};

/// Something the datapath tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventRecord {
    /// An advert that may change the election: the first of its sender, one that differs from its last, a resignation, or
    /// any while this node is Active.
    Advert {
        /// The router it is for.
        slot: Slot,
        /// The interface it came in on.
        ifindex: u32,
        /// The router's identifier.
        vrid: u8,
        /// The source MAC of its frame.
        mac: [u8; 6],
        /// What it says.
        heard: Heard,
    },
    /// Another station claimed or probed a virtual address that this node owns.
    Conflict {
        /// The router that owns it.
        slot: Slot,
        /// The interface the claim came in on.
        ifindex: u32,
        /// When.
        at: Time,
        /// The address.
        addr: IpAddr,
        /// The source MAC of the claim's frame.
        mac: [u8; 6],
    },
    /// An advert was dropped; at most one a second and reason is told.
    Rejected {
        /// The router it was for, if it said so.
        slot: Option<Slot>,
        /// The interface it came in on.
        ifindex: u32,
        /// When.
        at: Time,
        /// Its source address.
        from: IpAddr,
        /// The source MAC of its frame.
        mac: [u8; 6],
        /// The identifier it carried, 0 if it carried none.
        vrid: u8,
        /// Why it was dropped.
        reason: DropReason,
    },
    /// A BFD packet that changes something, or carries Poll or Final, arrived.
    Bfd {
        /// Its session.
        session: SessionId,
        /// The packet.
        received: Received,
    },
}

/// The reading end of the ring buffer; readable when there are events.
pub struct Events {
    ring: RingBuf<MapData>,
    fingerprints: Fingerprints,
    unknown: u64,
}

impl Xdp {
    /// Takes the reading end of the ring buffer; `None` the second time.
    ///
    /// # Errors
    ///
    /// When it cannot be mapped into memory.
    pub fn events(&mut self) -> Result<Option<Events>, MapError> {
        let Some(map) = self.ebpf.take_map("EVENTS") else { return Ok(None) };
        let ring = RingBuf::try_from(map)?;
        Ok(Some(Events { ring, fingerprints: self.election.fingerprints.clone(), unknown: 0 }))
    }
}

impl Events {
    /// Takes up to `max` events out and returns how many it took.
    pub fn drain(&mut self, max: usize, mut handle: impl FnMut(EventRecord)) -> usize {
        let mut taken = 0;
        while taken < max {
            let Some(item) = self.ring.next() else { break };
            let record = bytemuck::try_pod_read_unaligned(&item)
                .ok()
                .and_then(|event| decode(event, &self.fingerprints));
            drop(item);
            taken += 1;
            match record {
                Some(record) => handle(record),
                None => self.unknown += 1,
            }
        }
        taken
    }

    /// Returns how many records made no sense.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

/// Makes sense of a record, or returns `None` if there is none in it.
fn decode(event: Event, fingerprints: &Fingerprints) -> Option<EventRecord> {
    let Event { at_ns, slot, ifindex, addr, addresses_hash, interval_cs, mac, kind, reason, priority, vrid } =
        event;
    let at = Time::from_nanos(at_ns);
    match EventKind::from_number(kind)? {
        EventKind::Advert => {
            let slot = Slot::new(slot)?;
            let (interval, addresses) =
                (Centis::new(interval_cs)?, fingerprints.compare(slot, addresses_hash));
            let heard = Heard { at, from: addr.into(), priority, interval, addresses };
            Some(EventRecord::Advert { slot, ifindex, vrid, mac, heard })
        }
        EventKind::Conflict => {
            Some(EventRecord::Conflict { slot: Slot::new(slot)?, ifindex, at, addr: addr.into(), mac })
        }
        EventKind::Rejected => {
            let slot = if slot == NO_SLOT { None } else { Some(Slot::new(slot)?) };
            let reason = DropReason::from_index(reason)?;
            Some(EventRecord::Rejected { slot, ifindex, at, from: addr.into(), mac, vrid, reason })
        }
        EventKind::Bfd => {
            let received = Received { at, control: BfdSession::from_event(&event).control() };
            Some(EventRecord::Bfd { session: SessionId::new(slot)?, received })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_make_no_sense_are_refused() {
        let fingerprints = Fingerprints::default();
        let good = Event { kind: EventKind::Advert as u8, interval_cs: 100, ..Event::default() };
        assert!(decode(good, &fingerprints).is_some());
        for bad in [
            Event { kind: 0, ..good },
            Event { kind: 200, ..good },
            Event { interval_cs: 0, ..good },
            Event { slot: NO_SLOT, ..good },
            Event { kind: EventKind::Conflict as u8, slot: u32::MAX - 1, ..good },
            Event { kind: EventKind::Rejected as u8, reason: 255, ..good },
            Event { kind: EventKind::Bfd as u8, slot: 0, ..good },
            Event { kind: EventKind::Bfd as u8, slot: 256, ..good },
        ] {
            assert_eq!(decode(bad, &fingerprints), None, "{bad:?}");
        }
        let rejected = Event { kind: EventKind::Rejected as u8, slot: NO_SLOT, ..good };
        let reason = DropReason::from_index(0).unwrap();
        assert!(matches!(
            decode(rejected, &fingerprints),
            Some(EventRecord::Rejected { slot: None, reason: found, .. }) if found == reason
        ));
    }
}
