//! The programs: loaded once for a build, pinned, and used by whatever daemon comes next.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, EbpfLoader,
    programs::{ProgramError, SchedClassifier, Xdp as XdpProgram},
};
use aya_obj::programs::XdpAttachType;

use super::{
    clock, egress,
    object::OBJECT,
    open::{Maps, OpenError, Xdp},
    pins::{self, MAPS},
    program_log,
};

/// The programs of the object that the daemon loads.
const PROGRAMS: [&str; 3] = ["hadp", "clock", egress::PROGRAM];

/// The programs in the kernel, opened by their pins.
pub(super) struct Programs {
    pub(super) hadp: XdpProgram,
    pub(super) clock: XdpProgram,
    /// The classifier.
    pub(super) egress: SchedClassifier,
}

impl Programs {
    /// Opens this build's programs if they are pinned; else loads them, on the maps pinned in `dir`, which are made where
    /// there are none.
    pub(super) fn open_or_load(dir: &Path) -> Result<Self, OpenError> {
        let fingerprint = fingerprint();
        if let Ok(programs) = Self::open(dir, fingerprint) {
            return Ok(programs);
        }
        let mut loader = EbpfLoader::new();
        let level = program_log::level();
        loader.override_global(aya_log::LEVEL, &level, true);
        for name in MAPS {
            loader.map_pin_path(name, dir.join(name));
        }
        let mut ebpf = loader.load(OBJECT).map_err(|source| OpenError::Load(Box::new(source)))?;
        for name in PROGRAMS {
            load(&mut ebpf, name, &pin(dir, name, fingerprint))?;
        }
        Self::open(dir, fingerprint)
    }

    /// Checks that leases are counted by this process's clock, if this build's programs are pinned; others are replaced, and
    /// it is checked then.
    ///
    /// # Errors
    ///
    /// When they are counted by another one.
    pub(super) fn check_clock(dir: &Path, maps: &Maps) -> Result<(), OpenError> {
        match Self::open(dir, fingerprint()) {
            Ok(programs) => clock::check(&programs.clock, &maps.clock).map(drop).map_err(OpenError::Clock),
            Err(_) => Ok(()),
        }
    }

    fn open(dir: &Path, fingerprint: u64) -> Result<Self, OpenError> {
        let failed = |name| move |source| OpenError::Program { name, source: Box::new(source) };
        let path = |name| pin(dir, name, fingerprint);
        let xdp = |name| XdpProgram::from_pin(path(name), XdpAttachType::Interface).map_err(failed(name));
        let [hadp, clock, egress] = PROGRAMS;
        let classifier = SchedClassifier::from_pin(path(egress)).map_err(failed(egress))?;
        Ok(Self { hadp: xdp(hadp)?, clock: xdp(clock)?, egress: classifier })
    }
}

/// Loads one program into the kernel and pins it.
fn load(ebpf: &mut Ebpf, name: &'static str, path: &Path) -> Result<(), OpenError> {
    let program = ebpf.program_mut(name).ok_or(OpenError::Missing(name))?;
    let xdp: Result<&mut XdpProgram, ProgramError> = (&mut *program).try_into();
    let loaded = match xdp {
        Ok(program) => program.load(),
        Err(_) => <&mut SchedClassifier>::try_from(&mut *program).and_then(SchedClassifier::load),
    };
    loaded.map_err(|source| OpenError::Program { name, source: Box::new(source) })?;
    // A daemon that died between two pins left the first.
    pins::remove_pin(path).map_err(|source| OpenError::Directory { path: path.to_owned(), source })?;
    program.pin(path).map_err(|source| OpenError::Pin { path: path.to_owned(), source })
}

/// Returns what tells this build's programs from another's.
///
/// Not the tag that the kernel knows a program by: that is known only after loading it, and it leaves out the constants,
/// such as the level up to which a program logs. A reboot removes all pins, so the kernel is the same.
fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    OBJECT.hash(&mut hasher);
    program_log::level().hash(&mut hasher);
    hasher.finish()
}

fn pin(dir: &Path, name: &str, fingerprint: u64) -> PathBuf {
    dir.join(format!("{}{name}_{fingerprint:016x}", pins::PROGRAM_PREFIX))
}

impl Xdp {
    /// Loads the programs, unless they are loaded: after an adoption that waits, because those that another daemon
    /// attached are running.
    ///
    /// # Errors
    ///
    /// When the kernel refuses them.
    pub fn load(&mut self) -> Result<(), OpenError> {
        if self.programs.is_none() {
            let programs = Programs::open_or_load(self.lock.dir())?;
            clock::check(&programs.clock, &self.maps.clock).map_err(OpenError::Clock)?;
            self.programs = Some(programs);
        }
        Ok(())
    }

    /// Removes what an adopted datapath had and this one does not use: links to interfaces that it is not attached to, and
    /// the programs of another build.
    ///
    /// # Errors
    ///
    /// When a pin cannot be removed; the others go all the same.
    pub fn retire(&self) -> io::Result<()> {
        let fingerprint = fingerprint();
        let dir = self.lock.dir();
        let ours = PROGRAMS.map(|name| pin(dir, name, fingerprint));
        let in_use = |path: &PathBuf| {
            ours.contains(path) || self.attachments.values().any(|attachment| attachment.has(path))
        };
        let mut outcome = Ok(());
        for path in pins::pinned(dir)?.iter().filter(|path| !pins::is_map(path) && !in_use(path)) {
            outcome = outcome.and(pins::remove_pin(path));
        }
        outcome
    }
}
