//! Opening the datapath: on what another daemon pinned, or anew.

use std::{
    collections::BTreeMap,
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::{
    EbpfError,
    maps::{Array, Map, MapData, MapError},
    pin::PinError,
    programs::{ProgramError, Xdp as XdpProgram},
};
use hadp_common::{
    LAYOUT_VERSION,
    bfd::{BFD_INDEX_LEN, BfdKey, BfdSession, MAX_BFD_SESSIONS},
    key::{ADVERT_KEYS_LEN, AdvertKey, UnicastPeers},
    peer::Peers,
    router::{MAX_GUARDS, MAX_ROUTERS, Router},
    settings::{ClockSample, Settings},
    vip::{VIPS_LEN, Vip},
};

use super::{
    attach::Attachment,
    clock,
    election::Election,
    guards::Guards,
    legacy::Legacy,
    mapped::MappedArray,
    pins::{self, PinLock},
    programs::Programs,
};
use crate::dir_lock::DirLockError;

/// Why the datapath could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// bpf(2) does not exist.
    #[error("this kernel has no BPF: it needs CONFIG_BPF_SYSCALL, Linux 5.15 or later")]
    NoBpf,
    /// The process may not use BPF.
    #[error("missing capabilities: {missing}; run as root, or grant them (systemd: AmbientCapabilities=)")]
    Capability {
        /// Their names.
        missing: String,
    },
    /// The directory for the pins is not on a BPF filesystem.
    #[error("{dir} is not on a BPF filesystem: run `mount -t bpf bpf /sys/fs/bpf`", dir = dir.display())]
    NotBpffs {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory for the pins could not be used.
    #[error("cannot use {path}", path = path.display())]
    Directory {
        /// The path concerned.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another daemon runs with the same pins.
    #[error(
        "another hadp is running on the pins in {dir}; stop it first, or give this one another --pin-dir",
        dir = dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory for the pins could not be locked.
    #[error(transparent)]
    Lock(DirLockError),
    /// The object could not be loaded.
    #[error("cannot load the eBPF maps")]
    Load(#[source] Box<EbpfError>),
    /// The object lacks a map or program: the build is broken.
    #[error("the eBPF object has no {0}")]
    Missing(&'static str),
    /// The kernel refused a program.
    #[error("cannot load the eBPF program {name}")]
    Program {
        /// Its name.
        name: &'static str,
        /// What the kernel said, with the verifier's log.
        source: Box<ProgramError>,
    },
    /// A map could not be pinned.
    #[error("cannot pin {path}", path = path.display())]
    Pin {
        /// The path.
        path: PathBuf,
        /// Why.
        source: PinError,
    },
    /// A pinned map could not be opened.
    #[error("cannot open the pinned map {name}")]
    Map {
        /// Its name.
        name: &'static str,
        /// Why.
        source: Box<MapError>,
    },
    /// A map could not be mapped into memory.
    #[error("cannot map {name} into memory")]
    Mmap {
        /// Its name.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The kernel's clocks could not be read.
    #[error("cannot read the kernel's clocks")]
    Clock(#[source] io::Error),
}

/// The XDP datapath, loaded and pinned, attached to any number of interfaces.
pub struct Xdp {
    /// `None` after an adoption until [`load`](Self::load).
    pub(super) programs: Option<Programs>,
    pub(super) maps: Maps,
    pub(super) attachments: BTreeMap<u32, Attachment>,
    pub(super) election: Election,
    /// Held for as long as the daemon uses the pins.
    pub(super) lock: PinLock,
    pub(super) events_taken: bool,
}

impl Xdp {
    /// Opens the datapath on the pins in the directory that `lock` is for.
    ///
    /// Maps of this layout that another daemon left there are adopted as they are: with its leases, its senders, its
    /// tables and what is in its ring buffer. Nothing slow is done then: the programs that it attached run on, and are
    /// looked at by [`load`](Self::load) and [`attach`](Self::attach). All else is replaced: nothing is attached then, and
    /// no router is known.
    ///
    /// # Errors
    ///
    /// When this machine cannot run it.
    pub fn open(lock: PinLock) -> Result<Self, OpenError> {
        if lock.legacy() == Legacy::Adoptable {
            match Maps::open(lock.dir()) {
                Ok(maps) => {
                    Programs::check_clock(lock.dir(), &maps)?;
                    return Ok(Self::with(lock, maps, None));
                }
                Err(error) => tracing::warn!(%error, "what a former daemon left cannot be used"),
            }
        }
        pins::clear(lock.dir())?;
        let programs = Programs::open_or_load(lock.dir())?;
        let maps = Maps::open(lock.dir())?;
        let calibration = clock::calibrate(&programs.clock, &maps.clock).map_err(|error| {
            // Nothing was there before, and nothing is of use.
            if let Err(error) = pins::remove(lock.dir()) {
                tracing::warn!(%error, "pins are left");
            }
            OpenError::Clock(error)
        })?;
        let settings = Settings {
            layout: LAYOUT_VERSION,
            tick_ns: calibration.tick_ns,
            tick_offset_ns: calibration.offset_ns,
            ..Settings::default()
        };
        maps.guards.open_all(); // no session is up yet
        maps.settings.store(0, &settings);
        Ok(Self::with(lock, maps, Some(programs)))
    }

    fn with(lock: PinLock, maps: Maps, programs: Option<Programs>) -> Self {
        let election = Election::new(&maps);
        Self { programs, maps, attachments: BTreeMap::new(), election, lock, events_taken: false }
    }

    /// Returns the loaded program, for BPF_PROG_TEST_RUN.
    ///
    /// # Errors
    ///
    /// When it is not loaded yet, which it always is after a start on empty pins.
    pub fn program(&self) -> Result<&XdpProgram, OpenError> {
        self.programs.as_ref().map(|programs| &programs.hadp).ok_or(OpenError::Missing("hadp"))
    }
}

/// The maps, opened by their pins; most are mapped into memory.
pub(super) struct Maps {
    pub(super) routers: Arc<MappedArray<Router>>,
    pub(super) guards: Guards,
    pub(super) peers: Arc<MappedArray<Peers>>,
    pub(super) unicast_peers: MappedArray<UnicastPeers>,
    pub(super) advert_keys: MappedArray<AdvertKey>,
    pub(super) vips: MappedArray<Vip>,
    pub(super) settings: MappedArray<Settings>,
    pub(super) clock: MappedArray<ClockSample>,
    pub(super) bfd_keys: MappedArray<BfdKey>,
    pub(super) bfd_index: MappedArray<u64>,
    pub(super) bfd_guards: Arc<MappedArray<u64>>,
    pub(super) bfd_sessions: Arc<MappedArray<BfdSession>>,
    pub(super) stats: Map,
    pub(super) drops: Map,
}

impl Maps {
    fn open(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            routers: Arc::new(mapped(dir, "ROUTERS", MAX_ROUTERS)?),
            guards: Guards::new(mapped(dir, "GUARDS", MAX_GUARDS)?),
            peers: Arc::new(mapped(dir, "PEERS", MAX_ROUTERS)?),
            unicast_peers: mapped(dir, "UNICAST_PEERS", MAX_ROUTERS)?,
            advert_keys: mapped(dir, "ADVERT_KEYS", 2 * ADVERT_KEYS_LEN)?,
            vips: mapped(dir, "VIPS", 2 * VIPS_LEN)?,
            settings: mapped(dir, "SETTINGS", 1)?,
            clock: mapped(dir, "CLOCK", 1)?,
            bfd_keys: mapped(dir, "BFD_KEYS", MAX_BFD_SESSIONS)?,
            bfd_index: mapped(dir, "BFD_INDEX", 1 + 2 * BFD_INDEX_LEN)?,
            bfd_guards: Arc::new(mapped(dir, "BFD_GUARDS", MAX_BFD_SESSIONS)?),
            bfd_sessions: Arc::new(mapped(dir, "BFD_SESSIONS", MAX_BFD_SESSIONS)?),
            stats: map(dir, "STATS")?,
            drops: map(dir, "DROPS")?,
        })
    }
}

/// Opens one map by its pin.
pub(super) fn map(dir: &Path, name: &'static str) -> Result<Map, OpenError> {
    let opened = MapData::from_pin(dir.join(name)).and_then(Map::from_map_data);
    opened.map_err(|source| OpenError::Map { name, source: Box::new(source) })
}

/// Opens one array map and maps it into memory; its entries have the size of a `T`, or it is refused.
pub(super) fn mapped<T: aya::Pod + bytemuck::Pod>(
    dir: &Path,
    name: &'static str,
    len: u32,
) -> Result<MappedArray<T>, OpenError> {
    let map = map(dir, name)?;
    Array::<_, T>::try_from(&map).map_err(|source| OpenError::Map { name, source: Box::new(source) })?;
    let Map::Array(data) = &map else { return Err(OpenError::Missing(name)) };
    MappedArray::new(data.fd().as_fd(), len).map_err(|source| OpenError::Mmap { name, source })
}
