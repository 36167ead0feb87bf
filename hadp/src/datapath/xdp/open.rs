//! Loading the object, pinning and mapping its maps.

use std::{collections::BTreeMap, io, os::fd::AsFd, path::PathBuf, sync::Arc};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::Map,
    pin::PinError,
    programs::{ProgramError, SchedClassifier, Xdp as XdpProgram},
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
    clock, egress,
    election::Election,
    guards::Guards,
    mapped::MappedArray,
    object::OBJECT,
    pins::{self, PinLock},
    program_log,
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
    /// Another version of hadp left its pins.
    #[error(
        "{dir} holds maps of layout {found}, this hadp has {LAYOUT_VERSION}: run `hadp cleanup`",
        dir = dir.display()
    )]
    Layout {
        /// The directory.
        dir: PathBuf,
        /// The layout found.
        found: u32,
    },
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
    pub(super) ebpf: Ebpf,
    pub(super) maps: Maps,
    pub(super) attachments: BTreeMap<u32, Attachment>,
    pub(super) election: Election,
    /// Held for as long as the daemon uses the pins.
    pub(super) lock: PinLock,
}

impl Xdp {
    /// Loads the datapath and pins its maps in the directory that `lock` is for.
    ///
    /// Nothing is attached yet, and no router is known.
    ///
    /// # Errors
    ///
    /// When this machine cannot run it.
    pub fn open(lock: PinLock) -> Result<Self, OpenError> {
        let dir = lock.dir();
        pins::adopt_or_replace(dir)?;
        let mut ebpf = EbpfLoader::new()
            .override_global(aya_log::LEVEL, &program_log::level(), true)
            .load(OBJECT)
            .map_err(|source| OpenError::Load(Box::new(source)))?;
        load_program(&mut ebpf, "hadp")?;
        load_program(&mut ebpf, "clock")?;
        load_classifier(&mut ebpf)?;
        for (name, map) in ebpf.maps() {
            if let Some(name) = pins::MAPS.iter().find(|pinned| **pinned == name) {
                let path = dir.join(name);
                map.pin(&path).map_err(|source| OpenError::Pin { path, source })?;
            }
        }
        let maps = Maps::new(&ebpf)?;
        let calibration =
            clock::calibrate(program(&ebpf, "clock")?, &maps.clock).map_err(OpenError::Clock)?;
        let settings = Settings {
            layout: LAYOUT_VERSION,
            tick_ns: calibration.tick_ns,
            tick_offset_ns: calibration.offset_ns,
            ..Settings::default()
        };
        maps.settings.store(0, &settings);
        let election = Election::new(&maps);
        Ok(Self { ebpf, maps, attachments: BTreeMap::new(), election, lock })
    }

    /// Returns the loaded program, for BPF_PROG_TEST_RUN.
    ///
    /// # Errors
    ///
    /// When the object lacks it.
    pub fn program(&self) -> Result<&XdpProgram, OpenError> {
        program(&self.ebpf, "hadp")
    }
}

/// Loads one program into the kernel.
fn load_program(ebpf: &mut Ebpf, name: &'static str) -> Result<(), OpenError> {
    let program = ebpf.program_mut(name).ok_or(OpenError::Missing(name))?;
    let program: &mut XdpProgram = program.try_into().map_err(|_| OpenError::Missing(name))?;
    program.load().map_err(|source| OpenError::Program { name, source: Box::new(source) })
}

/// Loads the classifier into the kernel.
fn load_classifier(ebpf: &mut Ebpf) -> Result<(), OpenError> {
    let name = egress::PROGRAM;
    let program = ebpf.program_mut(name).ok_or(OpenError::Missing(name))?;
    let program: &mut SchedClassifier = program.try_into().map_err(|_| OpenError::Missing(name))?;
    program.load().map_err(|source| OpenError::Program { name, source: Box::new(source) })
}

/// Returns one program.
pub(super) fn program<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<&'a XdpProgram, OpenError> {
    let program = ebpf.program(name).ok_or(OpenError::Missing(name))?;
    program.try_into().map_err(|_| OpenError::Missing(name))
}

/// The maps that are mapped into memory.
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
    pub(super) bfd_sessions: Arc<MappedArray<BfdSession>>,
}

impl Maps {
    fn new(ebpf: &Ebpf) -> Result<Self, OpenError> {
        Ok(Self {
            routers: Arc::new(map(ebpf, "ROUTERS", MAX_ROUTERS)?),
            guards: Guards::new(map(ebpf, "GUARDS", MAX_GUARDS)?),
            peers: Arc::new(map(ebpf, "PEERS", MAX_ROUTERS)?),
            unicast_peers: map(ebpf, "UNICAST_PEERS", MAX_ROUTERS)?,
            advert_keys: map(ebpf, "ADVERT_KEYS", 2 * ADVERT_KEYS_LEN)?,
            vips: map(ebpf, "VIPS", 2 * VIPS_LEN)?,
            settings: map(ebpf, "SETTINGS", 1)?,
            clock: map(ebpf, "CLOCK", 1)?,
            bfd_keys: map(ebpf, "BFD_KEYS", MAX_BFD_SESSIONS)?,
            bfd_index: map(ebpf, "BFD_INDEX", 1 + 2 * BFD_INDEX_LEN)?,
            bfd_sessions: Arc::new(map(ebpf, "BFD_SESSIONS", MAX_BFD_SESSIONS)?),
        })
    }
}

/// Maps one array map into memory.
fn map<T: bytemuck::Pod>(ebpf: &Ebpf, name: &'static str, len: u32) -> Result<MappedArray<T>, OpenError> {
    let Some(Map::Array(data)) = ebpf.map(name) else { return Err(OpenError::Missing(name)) };
    MappedArray::new(data.fd().as_fd(), len).map_err(|source| OpenError::Mmap { name, source })
}
