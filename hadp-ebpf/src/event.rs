//! Events to the daemon: only what may change an election.

use aya_log_ebpf::debug;
use hadp_common::{
    addr::Address,
    event::{Event, EventKind, LIMIT_CONFLICT, LIMIT_REJECTED},
    stats::Counter,
};

use crate::{
    maps::{EVENTS, LIMITS},
    parse::Frame,
    settings::{InForce, jiffies, now_ns},
    stats::count,
};

/// Writes an event to the ring buffer.
///
/// Logs what is rate-limited: never an advert, which may be told of each time.
#[inline(never)]
pub(crate) fn send(event: &Event) {
    let (slot, addr) = (event.slot.cast_signed(), u32::from_be(event.addr.words()[3])); // NO_SLOT as -1
    if event.kind == EventKind::Rejected as u8 {
        debug!((), "slot {}: dropped an advert from {:i} for drop reason {}", slot, addr, event.reason);
    } else if event.kind == EventKind::Conflict as u8 {
        debug!((), "slot {}: {:i} is claimed by another station", slot, addr);
    }
    match EVENTS.output(event, 0) {
        Ok(()) => count(Counter::EventSent),
        Err(_) => count(Counter::EventLost),
    }
}

/// Counts a claim on a virtual address by another station, and reports it at most once a second and router.
#[inline(always)]
pub(crate) fn conflict(frame: &Frame, slot: u32, addr: u32, settings: InForce) {
    count(Counter::Conflict);
    if is_limited(LIMIT_CONFLICT + slot, settings) {
        return;
    }
    send(&Event {
        at_ns: now_ns(),
        slot,
        ifindex: frame.ifindex,
        addr: Address::from_v4_word(addr),
        mac: frame.header.mac::<6, 10>().octets(),
        kind: EventKind::Conflict as u8,
        ..Event::default()
    });
}

/// Reports a dropped advert, at most once a second and reason.
#[inline(always)]
pub(crate) fn rejected(frame: &Frame, event: Event, settings: InForce) {
    if is_limited(LIMIT_REJECTED + u32::from(event.reason), settings) {
        return;
    }
    send(&Event {
        at_ns: now_ns(),
        ifindex: frame.ifindex,
        mac: frame.header.mac::<6, 10>().octets(),
        kind: EventKind::Rejected as u8,
        ..event
    });
}

/// One second, in nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// Returns whether less than a second has passed since this last returned `false` for the same index.
///
/// Two CPUs that ask in the same instant may both be let through.
#[inline(always)]
fn is_limited(index: u32, settings: InForce) -> bool {
    let Some(last) = LIMITS.get_ptr_mut(index) else { return true };
    let now = jiffies();
    // SAFETY: the pointer is to a map value; an aligned word is read and written whole.
    unsafe {
        if *last != 0 && now.wrapping_sub(*last).wrapping_mul(settings.tick_ns()) < SECOND {
            return true;
        }
        *last = now;
    }
    false
}
