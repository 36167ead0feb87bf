//! BFD sessions: what their packets must carry, and what the last one said.

use std::{
    collections::HashMap,
    mem::offset_of,
    net::IpAddr,
    sync::{Arc, atomic::Ordering},
};

use hadp_common::{
    addr::Address,
    bfd::{
        BFD_AUTHENTICATED, BFD_GUARDS_LEN, BFD_INDEX_LEN, BFD_MULTIHOP, BfdKey, BfdSession, MAX_BFD_SESSIONS,
        bfd_entry, bfd_switch,
    },
    wire::bfd::VERSION,
};

use super::{guards::Guards, mapped::MappedArray, open::Xdp};
use crate::{
    datapath::tables::first_repeated,
    proto::bfd::{Received, SessionId},
    units::Time,
};

/// A session, as the datapath needs it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlannedSession {
    /// Its place in the maps.
    pub id: SessionId,
    /// The local discriminator, whose low octet is `id`.
    pub discriminator: u32,
    /// The neighbour's address.
    pub remote: IpAddr,
    /// The address its packets are sent to; `None` for any of this node's.
    pub local: Option<IpAddr>,
    /// The interface they must arrive on; 0 for any.
    pub ifindex: u32,
    /// The smallest TTL or hop limit accepted.
    pub min_ttl: u8,
    /// Whether the session runs over several hops.
    pub multihop: bool,
    /// Whether its packets are authenticated: they then reach the daemon's socket, which records what it has verified.
    pub authenticated: bool,
}

/// Why sessions cannot be put in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BfdPlanError {
    /// A discriminator does not lead to its session.
    #[error("the discriminator {discriminator:#010x} does not end in the index {index} of its session")]
    Discriminator {
        /// The discriminator.
        discriminator: u32,
        /// The session's index.
        index: u32,
    },
    /// Two sessions have one index.
    #[error("BFD session {0} is used twice")]
    DuplicateSession(u32),
    /// Two sessions could not be told apart by a neighbour's first packet.
    #[error("two BFD sessions with {0} have the same hops, interface and source address")]
    DuplicateNeighbor(IpAddr),
    /// No seed was found under which lookups find every session, which no plan is known to do.
    #[error("{0} BFD sessions do not fit the index of neighbours")]
    NoSeed(usize),
}

impl Xdp {
    /// Puts these sessions in force in place of those that are; one that stays is not disturbed.
    ///
    /// A session whose place goes to another one is taken out first, and what was heard of it is forgotten. A packet that
    /// the program is working on in that very moment may still be recorded in the newcomer's place: it is the newcomer's
    /// first valid packet that is then told as news, since its discriminators differ.
    ///
    /// # Errors
    ///
    /// When the sessions contradict each other; nothing has changed then.
    pub fn apply_bfd(&mut self, sessions: &[PlannedSession]) -> Result<(), BfdPlanError> {
        let keys = keys(sessions)?;
        let switch = self.maps.bfd_index.load(0).unwrap_or_default();
        let half = ((switch >> 32) as u32 & 1) ^ 1;
        let (switch, index) = index(&keys, half)?;
        for (index, next) in (0..).zip(&keys) {
            self.write_key(index, next);
        }
        for entry in first_entry(half)..first_entry(half) + BFD_INDEX_LEN {
            self.maps.bfd_index.store(entry, index.get(&entry).unwrap_or(&0));
        }
        if let Some(entry) = self.maps.bfd_index.entry(0) {
            entry.set_word(0, switch, Ordering::Release);
        }
        Ok(())
    }

    /// Returns what the packets of every session in force must carry, by ascending index.
    pub fn bfd_keys(&self) -> Vec<(SessionId, BfdKey)> {
        let key = |id: SessionId| Some((id, self.maps.bfd_keys.load(id.index())?));
        let keys = (0..MAX_BFD_SESSIONS).filter_map(SessionId::new).filter_map(key);
        keys.filter(|(_, key)| key.discriminator != 0).collect()
    }

    /// Returns what was heard of the sessions.
    pub fn bfd_sessions(&self) -> BfdSessions {
        BfdSessions {
            sessions: Arc::clone(&self.maps.bfd_sessions),
            ends: Arc::clone(&self.maps.bfd_guards),
            guards: self.guards(),
        }
    }

    /// Writes one entry of `BFD_KEYS`, unless it is there already.
    fn write_key(&self, index: u32, next: &BfdKey) {
        let Some(entry) = self.maps.bfd_keys.entry(index) else { return };
        let now: BfdKey = entry.load();
        if now == *next {
            return;
        }
        if identity(&now) != identity(next) {
            entry.set_word(NAME, 0, Ordering::Release); // nobody's, until the rest is in place
            self.maps.bfd_guards.store(index, &0);
            self.maps.bfd_sessions.store(index, &BfdSession::default());
        }
        entry.store_from(NAME + 1, next);
        let [a, b, c, d] = next.discriminator.to_ne_bytes();
        let [e, f, g, h] = next.ifindex.to_ne_bytes();
        entry.set_word(NAME, u64::from_ne_bytes([a, b, c, d, e, f, g, h]), Ordering::Release);
    }
}

/// The word of a key that says whose it is.
const NAME: usize = offset_of!(BfdKey, discriminator) / 8;
const _: () = assert!(NAME == 0 && offset_of!(BfdKey, ifindex) == 4);

/// Returns what makes a session that session.
fn identity(key: &BfdKey) -> (u32, Address, Address, u8) {
    (key.discriminator, key.remote, key.local, key.flags)
}

/// Lays the values of `BFD_KEYS` out.
fn keys(sessions: &[PlannedSession]) -> Result<Vec<BfdKey>, BfdPlanError> {
    let mut indices: Vec<_> = sessions.iter().map(|session| session.id).collect();
    indices.sort_unstable();
    if let Some(id) = first_repeated(&indices) {
        return Err(BfdPlanError::DuplicateSession(id.index()));
    }
    let mut neighbors: Vec<_> = sessions
        .iter()
        .map(|session| (session.remote, session.multihop, session.ifindex, session.local))
        .collect();
    neighbors.sort_unstable();
    if let Some((remote, ..)) = first_repeated(&neighbors) {
        return Err(BfdPlanError::DuplicateNeighbor(*remote));
    }
    let mut keys = vec![BfdKey::default(); MAX_BFD_SESSIONS.try_into().unwrap_or_default()];
    for session in sessions {
        let (index, discriminator) = (session.id.index(), session.discriminator);
        if discriminator % MAX_BFD_SESSIONS != index {
            return Err(BfdPlanError::Discriminator { discriminator, index });
        }
        if let Some(key) = usize::try_from(index).ok().and_then(|index| keys.get_mut(index)) {
            *key = planned(session);
        }
    }
    Ok(keys)
}

/// Returns the key of one session.
fn planned(session: &PlannedSession) -> BfdKey {
    let multihop = if session.multihop { BFD_MULTIHOP } else { 0 };
    let authenticated = if session.authenticated { BFD_AUTHENTICATED } else { 0 };
    BfdKey {
        discriminator: session.discriminator,
        ifindex: session.ifindex,
        remote: session.remote.into(),
        local: session.local.map_or(Address::UNSPECIFIED, Address::from),
        min_ttl: session.min_ttl,
        flags: multihop | authenticated,
        ..BfdKey::default()
    }
}

/// How many seeds are tried. Of 50, one gives each of 255 sessions an entry of its own.
const SEEDS: u32 = 2048;

/// Lays one half of `BFD_INDEX` out, entry to session, and returns the word that puts it in force.
fn index(keys: &[BfdKey], half: u32) -> Result<(u64, HashMap<u32, u64>), BfdPlanError> {
    let sessions: Vec<_> = (0u64..).zip(keys).filter(|(_, key)| key.discriminator != 0).collect();
    for seed in 0..SEEDS {
        let switch = bfd_switch(half, seed);
        let entry =
            |key: &BfdKey| bfd_entry(switch, key.remote.words(), key.local.words(), key.ifindex, key.flags);
        let entries: HashMap<_, _> = sessions.iter().map(|(index, key)| (entry(key), *index)).collect();
        if entries.len() == sessions.len() {
            return Ok((switch, entries));
        }
    }
    Err(BfdPlanError::NoSeed(sessions.len()))
}

/// Returns where in `BFD_INDEX` a half begins.
const fn first_entry(half: u32) -> u32 {
    1 + half * BFD_INDEX_LEN
}

/// What was heard of the sessions, through memory that the kernel shares: no lock, no system call.
#[derive(Clone)]
pub struct BfdSessions {
    sessions: Arc<MappedArray<BfdSession>>,
    /// `BFD_GUARDS`.
    ends: Arc<MappedArray<u64>>,
    guards: Guards,
}

const LAST_SEEN: usize = offset_of!(BfdSession, last_seen_ns) / 8;
const PACKETS: usize = offset_of!(BfdSession, packets) / 8;
const _: () = assert!(LAST_SEEN == 0 && PACKETS == 1);

/// How often an entry is read again that changed meanwhile.
const RETRIES: u32 = 4;

impl BfdSessions {
    /// Returns when the neighbour was last heard; zero if it never was.
    pub fn last_seen(&self, session: SessionId) -> Time {
        let entry = self.sessions.entry(session.index());
        entry.map_or(Time::ZERO, |entry| Time::from_nanos(entry.word(LAST_SEEN, Ordering::Acquire)))
    }

    /// Returns how many valid packets have arrived.
    pub fn packets(&self, session: SessionId) -> u64 {
        self.sessions.entry(session.index()).map_or(0, |entry| entry.word(PACKETS, Ordering::Relaxed))
    }

    /// Returns the neighbour's last packet; `None` if it was never heard.
    ///
    /// The program stores the time last. A time that stayed the same while the rest was read thus belongs to the same
    /// packet, or the rest is a little newer, and then an event tells what is new in it.
    pub fn received(&self, session: SessionId) -> Option<Received> {
        let entry = self.sessions.entry(session.index())?;
        let mut packet = BfdSession::default();
        for _ in 0..RETRIES {
            let before = entry.word(LAST_SEEN, Ordering::Acquire);
            packet = BfdSession { last_seen_ns: before, ..entry.load() };
            std::sync::atomic::fence(Ordering::Acquire);
            if entry.word(LAST_SEEN, Ordering::Relaxed) == before {
                break;
            }
        }
        // A record without a version is one that is being forgotten.
        let is_heard = packet.last_seen_ns != 0 && packet.version_diag >> 5 == VERSION;
        is_heard.then(|| Received { at: Time::from_nanos(packet.last_seen_ns), control: packet.control() })
    }

    /// Says which guards end when the neighbour of a session has given this node up.
    pub fn set_ends(&self, session: SessionId, guards: impl IntoIterator<Item = u32>) {
        let mut ends = [0; BFD_GUARDS_LEN];
        let numbers = guards.into_iter().filter_map(|guard| u8::try_from(guard).ok());
        ends.iter_mut().zip(numbers).for_each(|(end, guard)| *end = guard);
        self.ends.store(session.index(), &u64::from_ne_bytes(ends));
    }

    /// Records a packet that was authenticated in userspace; ends guards as the datapath does.
    pub fn record(&self, session: SessionId, received: Received) {
        let Some(entry) = self.sessions.entry(session.index()) else { return };
        let control = received.control;
        let before: BfdSession = entry.load();
        if control.gives_up(&before.control()) {
            let ends = self.ends.load(session.index()).unwrap_or_default();
            ends.to_ne_bytes().iter().for_each(|guard| self.guards.end(u32::from(*guard)));
        }
        let packet = BfdSession {
            last_seen_ns: received.at.as_nanos(),
            packets: entry.word(PACKETS, Ordering::Relaxed).wrapping_add(1),
            remote_discriminator: control.my_discriminator,
            your_discriminator: control.your_discriminator,
            desired_min_tx_us: control.desired_min_tx_us,
            required_min_rx_us: control.required_min_rx_us,
            version_diag: (VERSION << 5) | (control.diag & 0x1f),
            state_flags: ((control.state as u8) << 6) | (control.flags & 0x3f),
            multiplier: control.multiplier,
            ..BfdSession::default()
        };
        entry.store_from(PACKETS, &packet);
        entry.set_word(LAST_SEEN, packet.last_seen_ns, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn session(index: u32, remote: &str) -> PlannedSession {
        PlannedSession {
            id: SessionId::new(index).unwrap(),
            discriminator: 0xabcd_1200 | index,
            remote: remote.parse().unwrap(),
            local: None,
            ifindex: 1,
            min_ttl: 255,
            multihop: false,
            authenticated: false,
        }
    }

    #[test]
    fn plans_that_contradict_themselves_are_refused() {
        let (first, second) = (session(1, "10.0.0.1"), session(2, "10.0.0.2"));
        let rows = [
            (PlannedSession { id: first.id, ..second }, BfdPlanError::DuplicateSession(1)),
            (
                PlannedSession { remote: first.remote, ..second },
                BfdPlanError::DuplicateNeighbor(first.remote),
            ),
            (
                PlannedSession { discriminator: 3, ..second },
                BfdPlanError::Discriminator { discriminator: 3, index: 2 },
            ),
        ];
        for (second, error) in rows {
            assert_eq!(keys(&[first, second]).unwrap_err(), error);
        }
        let told_apart = [
            PlannedSession { remote: first.remote, ifindex: 2, ..second },
            PlannedSession { remote: first.remote, multihop: true, ..second },
            PlannedSession { remote: first.remote, local: Some(second.remote), ..second },
        ];
        for second in told_apart {
            assert!(keys(&[first, second]).is_ok());
        }
    }

    /// As many sessions as there are, however alike: one address on every interface, consecutive addresses, one neighbour
    /// and many of this node's addresses, subnets numbered like interfaces.
    #[test]
    fn an_index_has_an_entry_for_every_session() {
        type Vary = fn(u32, PlannedSession) -> PlannedSession;
        let shapes: [Vary; 5] = [
            |index, session| PlannedSession { ifindex: index, ..session },
            |index, session| PlannedSession {
                remote: Ipv4Addr::from_bits(0x0a00_0000 + index).into(),
                ..session
            },
            |index, session| PlannedSession {
                remote: Ipv6Addr::from_bits(u128::from(index)).into(),
                ..session
            },
            |index, session| PlannedSession {
                local: Some(Ipv4Addr::from_bits(0x0a00_0000 + index).into()),
                multihop: true,
                ..session
            },
            |index, session| PlannedSession {
                remote: Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + (u128::from(index) << 72) + 2).into(),
                ifindex: 256 - index,
                ..session
            },
        ];
        for vary in shapes {
            let plan: Vec<_> =
                (1..MAX_BFD_SESSIONS).map(|index| vary(index, session(index, "fe80::1"))).collect();
            let keys = keys(&plan).unwrap();
            for half in [0, 1] {
                let (switch, entries) = index(&keys, half).unwrap();
                for (index, key) in (0..).zip(&keys).skip(1) {
                    let entry =
                        bfd_entry(switch, key.remote.words(), key.local.words(), key.ifindex, key.flags);
                    assert_eq!(entries[&entry], index);
                    assert!((first_entry(half)..first_entry(half + 1)).contains(&entry));
                }
                assert_eq!(entries.len(), 255);
            }
        }
    }
}
