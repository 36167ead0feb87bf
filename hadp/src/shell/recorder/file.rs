//! The file of an event log.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Makes the file of a daemon that follows so many dead ones, and returns it with its path: `path` for the first daemon,
/// `path.1` for the one started after the first death, and so on. A number that is taken, by another run, is passed over.
///
/// # Errors
///
/// When it cannot be made; for the first daemon also when it exists.
pub(super) fn create(path: &Path, deaths: u64) -> io::Result<(File, PathBuf)> {
    if deaths == 0 {
        return Ok((create_new(path)?, path.to_owned()));
    }
    for number in deaths.. {
        let path = numbered(path, number);
        match create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((made?, path)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Makes a file readable by the owner alone, as it names addresses; `create_new` follows no link either.
fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}
