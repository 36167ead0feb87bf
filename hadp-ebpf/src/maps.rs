//! All maps.
//!
//! Arrays that the daemon writes or reads while packets fly are mappable into its memory: a takeover is a store,
//! not a system call.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, PerCpuArray, RingBuf},
    macros::btf_map,
};
use hadp_common::{
    bfd::{BFD_INDEX_LEN, BfdKey, BfdSession, MAX_BFD_SESSIONS},
    event::{EVENTS_LEN, Event, LIMITS_LEN},
    key::{ADVERT_KEYS_LEN, AdvertKey, UnicastPeers},
    peer::Peers,
    router::{MAX_GUARDS, MAX_ROUTERS, Router},
    settings::{ClockSample, Settings},
    stats::{Drops, Stats},
    vip::{VIPS_LEN, Vip},
};

const MMAP: usize = BPF_F_MMAPABLE as usize;
const ROUTERS_LEN: usize = MAX_ROUTERS as usize;

/// Slot to lease, MACs and flags.
#[btf_map]
pub(crate) static ROUTERS: Array<Router, ROUTERS_LEN, MMAP> = Array::new();

/// Guard to the time until which the leases that name it hold.
#[btf_map]
pub(crate) static GUARDS: Array<u64, { MAX_GUARDS as usize }, MMAP> = Array::new();

/// Slot to the senders heard.
#[btf_map]
pub(crate) static PEERS: Array<Peers, ROUTERS_LEN, MMAP> = Array::new();

/// Slot to the senders accepted, where a router names them.
#[btf_map]
pub(crate) static UNICAST_PEERS: Array<UnicastPeers, ROUTERS_LEN, MMAP> = Array::new();

/// Two halves, each an open-addressed table: interface, family and VRID to slot.
#[btf_map]
pub(crate) static ADVERT_KEYS: Array<AdvertKey, { 2 * ADVERT_KEYS_LEN as usize }, MMAP> = Array::new();

/// Two halves, each an open-addressed table: interface, VLANs and address to slot.
#[btf_map]
pub(crate) static VIPS: Array<Vip, { 2 * VIPS_LEN as usize }, MMAP> = Array::new();

/// One entry: which halves are in force, and how ticks become time.
#[btf_map]
pub(crate) static SETTINGS: Array<Settings, 1, MMAP> = Array::new();

/// What may change an election.
#[btf_map]
pub(crate) static EVENTS: RingBuf<Event, EVENTS_LEN> = RingBuf::new();

/// The tick at which each kind of event that is rate-limited was last sent.
#[btf_map]
pub(crate) static LIMITS: Array<u64, { LIMITS_LEN as usize }, MMAP> = Array::new();

/// One entry a CPU: a counter for each thing done.
#[btf_map]
pub(crate) static STATS: PerCpuArray<Stats, 1> = PerCpuArray::new();

/// One entry a CPU: a counter for each drop reason.
#[btf_map]
pub(crate) static DROPS: PerCpuArray<Drops, 1> = PerCpuArray::new();

/// One entry: what the `clock` program read.
#[btf_map]
pub(crate) static CLOCK: Array<ClockSample, 1, MMAP> = Array::new();

/// Session to what its packets must carry.
#[btf_map]
pub(crate) static BFD_KEYS: Array<BfdKey, { MAX_BFD_SESSIONS as usize }, MMAP> = Array::new();

/// Which half is in force, then two halves: the hash of a neighbour to its session.
#[btf_map]
pub(crate) static BFD_INDEX: Array<u64, { 1 + 2 * BFD_INDEX_LEN as usize }, MMAP> = Array::new();

/// Session to the guards, one octet each, that end when its neighbour has given this node up.
#[btf_map]
pub(crate) static BFD_GUARDS: Array<u64, { MAX_BFD_SESSIONS as usize }, MMAP> = Array::new();

/// Session to the neighbour's last packet.
#[btf_map]
pub(crate) static BFD_SESSIONS: Array<BfdSession, { MAX_BFD_SESSIONS as usize }, MMAP> = Array::new();
