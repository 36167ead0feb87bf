//! The directory of the control socket and the ledger.

use std::{
    fs::{DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// The exclusive right to a directory, given up when dropped or when the process ends.
#[derive(Debug)]
pub(super) struct RunDir {
    _flock: Flock<File>,
}

impl RunDir {
    /// Makes the directory, mode 0700, and takes the lock on it: two daemons with one ledger would take each other's
    /// addresses for leftovers.
    ///
    /// # Errors
    ///
    /// When it cannot be made, or another hadp has it.
    pub(super) fn take(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let file = File::open(dir)?;
        file.set_permissions(Permissions::from_mode(0o700))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(flock) => Ok(Self { _flock: flock }),
            Err((_, Errno::EWOULDBLOCK)) => {
                Err(io::Error::other("another hadp uses it; give this one another --run-dir"))
            }
            Err((_, errno)) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hadp");
        let first = RunDir::take(&path).unwrap();
        assert!(RunDir::take(&path).unwrap_err().to_string().contains("another hadp uses it"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(first);
        RunDir::take(&path).unwrap();
    }
}
