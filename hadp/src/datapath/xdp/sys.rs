//! The few bpf(2) commands that aya keeps to itself.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

const BPF_OBJ_GET: libc::c_long = 7;
const BPF_LINK_UPDATE: libc::c_long = 29;
const BPF_LINK_DETACH: libc::c_long = 34;
/// A command that no kernel has.
const NO_COMMAND: libc::c_long = 0xffff;

/// Opens a pinned object.
///
/// # Errors
///
/// What bpf(2) says; `InvalidInput` for a path with a zero octet.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // `bpf_attr` for this command: the path's address, then flags that are 0.
    let attributes = [path.as_ptr().expose_provenance() as u64, 0, 0];
    let fd = bpf(BPF_OBJ_GET, &attributes)?;
    // SAFETY: the kernel has just returned this descriptor, and nothing else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Detaches a link at once, whoever else holds it; closing it would do so only after a grace period.
///
/// # Errors
///
/// What bpf(2) says.
pub(super) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    // `bpf_attr` for this command: the descriptor, in the first four octets.
    bpf(BPF_LINK_DETACH, &[pair(link.as_raw_fd(), 0), 0, 0]).map(drop)
}

/// Replaces the program of a link, with no packet in between that finds none.
///
/// # Errors
///
/// What bpf(2) says.
pub(super) fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // `bpf_attr` for this command: link and program in four octets each, then flags and an old program that are 0.
    bpf(BPF_LINK_UPDATE, &[pair(link.as_raw_fd(), program.as_raw_fd()), 0, 0]).map(drop)
}

/// Lays out two descriptors in a word as in memory.
fn pair(first: RawFd, second: RawFd) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(first.to_ne_bytes().into_iter().chain(second.to_ne_bytes())) {
        *to = from;
    }
    u64::from_ne_bytes(word)
}

/// Returns whether the kernel has bpf(2) at all.
pub(super) fn is_supported() -> bool {
    bpf(NO_COMMAND, &[0; 3]).err().and_then(|error| error.raw_os_error()) != Some(libc::ENOSYS)
}

/// Calls bpf(2).
fn bpf(command: libc::c_long, attributes: &[u64; 3]) -> io::Result<libc::c_int> {
    // SAFETY: the attributes are as long as said and outlive the call; the commands used here only read them.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), size_of_val(attributes)) };
    match libc::c_int::try_from(result) {
        Ok(value) if value >= 0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}
