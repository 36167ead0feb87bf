//! One daemon for one set of pins.

use std::{
    fs::{File, Permissions},
    io,
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg, OFlag, open},
    sys::stat::Mode,
};

/// The exclusive right to the pins in a directory, released when dropped or when the process ends.
#[derive(Debug)]
pub struct PinLock {
    _flock: Flock<OwnedFd>,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another hadp has it.
    #[error("another hadp is running on the pins in {0}; stop it first, or give this one another --pin-dir")]
    Held(PathBuf),
    /// The directory cannot be used.
    #[error("cannot use the pin directory {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
}

impl PinLock {
    /// Creates the directory, mode 0700, and takes the lock on it.
    ///
    /// The lock is on the directory itself, so that it holds whatever else two daemons are configured with.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] when another process has it, [`LockError::Directory`] when it cannot be created or opened.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let failed = |source: io::Error| LockError::Directory { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(failed)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(dir, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        File::from(fd.try_clone().map_err(failed)?)
            .set_permissions(Permissions::from_mode(0o700))
            .map_err(failed)?;
        match Flock::lock(fd, FlockArg::LockExclusiveNonblock) {
            Ok(flock) => Ok(Self { _flock: flock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(LockError::Held(dir.to_owned())),
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = PinLock::take(dir.path()).unwrap();
        assert!(matches!(PinLock::take(dir.path()), Err(LockError::Held(_))));
        drop(first);
        PinLock::take(dir.path()).unwrap();
    }
}
