//! A directory that one daemon has to itself.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// The exclusive right to a directory, given up when dropped or when the process ends.
///
/// The lock is on the directory itself, so that it holds whatever else two daemons are configured with.
#[derive(Debug)]
pub struct DirLock {
    dir: PathBuf,
    _flock: Flock<File>,
}

/// Why a directory could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirLockError {
    /// Another process has it.
    #[error("another hadp uses {}", .0.display())]
    Held(PathBuf),
    /// Others may write to it, so it is not the daemon's own.
    #[error("{} is writable by others (mode {mode:03o}); name a directory that is hadp's own", dir.display())]
    Shared {
        /// The directory.
        dir: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It could not be made or opened.
    #[error("cannot use {}", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How often a lock is tried that another process has, and the pause between: one that was killed a moment ago holds it
/// until the kernel has taken its memory apart.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(1);

impl DirLock {
    /// Takes the lock on a directory, which is made with mode 0700 if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made or opened, is not private, or another process has it.
    pub fn take(dir: &Path) -> Result<Self, DirLockError> {
        let failed = |source| DirLockError::Unusable { dir: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let file = File::open(dir).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(DirLockError::Shared { dir: dir.to_owned(), mode });
        }
        let mut file = file;
        for _ in 0..TRIES {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(flock) => return Ok(Self { dir: dir.to_owned(), _flock: flock }),
                Err((again, Errno::EWOULDBLOCK)) => file = again,
                Err((_, errno)) => return Err(failed(errno.into())),
            }
            thread::sleep(PAUSE);
        }
        Err(DirLockError::Held(dir.to_owned()))
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_second_daemon_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hadp");
        let first = DirLock::take(&path).unwrap();
        assert!(matches!(DirLock::take(&path), Err(DirLockError::Held(_))));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(first);
        DirLock::take(&path).unwrap();
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(DirLock::take(dir.path()), Err(DirLockError::Shared { mode: 0o777, .. })));
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o777);
    }
}
