//! The pins: what outlives the daemon, and how it goes.

use std::{
    ffi::OsStr,
    fs, io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use aya::maps::{Array, Map, MapData};
use hadp_common::settings::Settings;

use super::{
    egress,
    open::{OpenError, Xdp},
    preflight, sys,
};
use crate::dir_lock::{DirLock, DirLockError};

/// The maps that are pinned, each under its name.
pub(super) const MAPS: [&str; 16] = [
    "ROUTERS",
    "GUARDS",
    "PEERS",
    "UNICAST_PEERS",
    "ADVERT_KEYS",
    "VIPS",
    "SETTINGS",
    "EVENTS",
    "LIMITS",
    "STATS",
    "DROPS",
    "BFD_KEYS",
    "BFD_INDEX",
    "BFD_GUARDS",
    "BFD_SESSIONS",
    "CLOCK",
];

/// What the pins of links begin with; the interface's name follows.
const LINK_PREFIX: &str = "link_";
/// The same for the links of the classifier.
const EGRESS_PREFIX: &str = "egress_";
/// What the pins of programs begin with; the name and what tells the build follow.
pub(super) const PROGRAM_PREFIX: &str = "program_";

/// Why pins could not be removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CleanupError {
    /// A pin could not be removed.
    #[error("cannot remove {path}", path = path.display())]
    Remove {
        /// The path concerned.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The exclusive right to the pins in a directory, given up when dropped or when the process ends.
#[derive(Debug)]
pub struct PinLock(DirLock);

impl PinLock {
    /// Makes the directory, mode 0700, and takes the lock on it.
    ///
    /// # Errors
    ///
    /// When this process may not use BPF, `dir` is not on a BPF filesystem, or another hadp has it.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        preflight::check(dir)?;
        match DirLock::take(dir) {
            Ok(lock) => Ok(Self(lock)),
            Err(DirLockError::Held(dir)) => Err(OpenError::InUse { dir }),
            Err(error) => Err(OpenError::Lock(error)),
        }
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        self.0.dir()
    }

    /// Detaches every program and removes every pin that a dead daemon left, and the directory itself.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub fn remove_pins(self) -> Result<(), CleanupError> {
        remove(self.dir())
    }
}

impl Xdp {
    /// Detaches from every interface and removes every pin: the end of a daemon that hands over.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub fn remove(self) -> Result<(), CleanupError> {
        remove(self.lock.dir())
    }
}

/// Removes the pins that a dead daemon left, where they cannot be adopted.
///
/// # Errors
///
/// When one cannot be removed.
pub(super) fn clear(dir: &Path) -> Result<(), OpenError> {
    for path in pinned(dir).map_err(|source| OpenError::Directory { path: dir.to_owned(), source })? {
        remove_pin(&path).map_err(|source| OpenError::Directory { path, source })?;
    }
    Ok(())
}

/// Returns the layout of the pinned settings; `None` if there are none or they were never written.
///
/// Settings of another size are of another layout: 0.
pub(super) fn layout(path: &Path) -> Option<u32> {
    let map = Map::from_map_data(MapData::from_pin(path).ok()?).ok()?;
    let Ok(settings) = Array::<_, Settings>::try_from(&map) else { return Some(0) };
    settings.get(&0, 0).ok().map(|settings| settings.layout).filter(|layout| *layout != 0)
}

/// Removes every pin and the directory; what hadp did not put there keeps it.
pub(super) fn remove(dir: &Path) -> Result<(), CleanupError> {
    let failed = |path: &Path, source| CleanupError::Remove { path: path.to_owned(), source };
    let mut first = None;
    for path in pinned(dir).map_err(|source| failed(dir, source))? {
        // The others go all the same.
        if let Err(source) = remove_pin(&path) {
            first.get_or_insert(failed(&path, source));
        }
    }
    match (first, fs::remove_dir(dir)) {
        (Some(error), _) => Err(error),
        (None, Err(error)) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(failed(dir, error)),
        (None, _) => Ok(()),
    }
}

/// Lists hadp's pins: links first, so that no program runs on maps that are going.
pub(super) fn pinned(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_link(&name) || begins(&name, PROGRAM_PREFIX) || is_map(Path::new(&name)) {
            paths.push((!is_link(&name), entry.path()));
        }
    }
    paths.sort();
    Ok(paths.into_iter().map(|(_, path)| path).collect())
}

/// Tells by its name whether a pin is a link's.
fn is_link(name: &OsStr) -> bool {
    [LINK_PREFIX, EGRESS_PREFIX].iter().any(|prefix| begins(name, prefix))
}

fn begins(name: &OsStr, prefix: &str) -> bool {
    name.as_encoded_bytes().starts_with(prefix.as_bytes())
}

/// Tells whether a pin is a map's.
pub(super) fn is_map(path: &Path) -> bool {
    path.file_name().is_some_and(|name| MAPS.iter().any(|map| name == *map))
}

/// Removes one pin; a link is detached first, at once, and with the XDP program's goes the classifier.
pub(super) fn remove_pin(path: &Path) -> io::Result<()> {
    if let (Some(dir), Some(interface)) = (path.parent(), interface_of(path)) {
        egress::detach(&egress_path(dir, &interface), &interface)?;
    }
    if path.file_name().is_some_and(is_link) {
        // A link that cannot be opened or detached any more goes with its pin.
        let _ = sys::open_pin(path).and_then(|link| sys::detach_link(link.as_fd()));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Returns the pin of the XDP program's link to an interface.
pub(super) fn link_path(dir: &Path, interface: &str) -> PathBuf {
    dir.join(format!("{LINK_PREFIX}{}", escape(interface)))
}

/// Returns the pin of the classifier's link to an interface.
pub(super) fn egress_path(dir: &Path, interface: &str) -> PathBuf {
    dir.join(format!("{EGRESS_PREFIX}{}", escape(interface)))
}

/// Writes an interface's name as a pin has it. bpffs reserves dots in names, so `.` is written `%2e`, and `%` `%25`.
fn escape(interface: &str) -> String {
    interface.replace('%', "%25").replace('.', "%2e")
}

/// Returns the interface whose XDP link a pin is.
fn interface_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_prefix(LINK_PREFIX)?;
    Some(name.replace("%2e", ".").replace("%25", "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_links_have_no_dots_and_stay_distinct() {
        let name = |interface| link_path(Path::new("/p"), interface).display().to_string();
        assert_eq!(name("eth0"), "/p/link_eth0");
        assert_eq!(name("eth0.100"), "/p/link_eth0%2e100");
        assert_eq!(name("eth0%2e100"), "/p/link_eth0%252e100");
        for interface in ["eth0", "eth0.100", "eth0%2e100", "a%25.b"] {
            assert_eq!(interface_of(&link_path(Path::new("/p"), interface)).as_deref(), Some(interface));
        }
        assert_eq!(interface_of(&egress_path(Path::new("/p"), "eth0")), None);
    }
}
