//! What a socket has sent and the host has not.

use std::{io, os::fd::AsRawFd};

/// The band of what must not wait (`TC_PRIO_CONTROL` of linux/pkt_sched.h).
pub(super) static CONTROL: libc::c_int = 7;

/// A socket that tells what of its own is still queued.
pub trait Queue {
    /// Returns how much of what was sent has not left the host, in octets with the kernel's own share: frames are charged to
    /// their socket until the driver has done with them.
    ///
    /// # Errors
    ///
    /// When the kernel does not say.
    fn queued(&self) -> io::Result<u32>;
}

/// Asks for what is queued of a socket.
pub(super) fn queued(socket: &impl AsRawFd) -> io::Result<u32> {
    let mut octets: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which has the number of TIOCOUTQ, writes one int, which outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    if done == 0 { Ok(octets.unsigned_abs()) } else { Err(io::Error::last_os_error()) }
}

/// Has a socket's frames go before others where the interface's queue has bands, as it has by default. Refused, they wait for
/// their turn.
pub(super) fn go_first(socket: &impl AsRawFd) {
    // SAFETY: the value is valid for the call and its length is given.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PRIORITY,
            (&raw const CONTROL).cast(),
            size_of_val(&CONTROL) as libc::socklen_t,
        )
    };
}

/// Returns a socket's band.
#[cfg(test)]
pub(super) fn priority(socket: &impl AsRawFd) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: both outlive the call, and the length is the value's.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PRIORITY,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if done == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_socket_tells_what_is_queued_and_goes_first() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        assert_eq!(queued(&socket).unwrap(), 0);
        go_first(&socket);
        assert_eq!(priority(&socket).unwrap(), CONTROL);
        drop(socket);
        assert!(queued(&-1).is_err());
    }
}
