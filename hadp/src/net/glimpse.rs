//! A quick look at one interface, without reading them all.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

use super::link::{Carrier, Link};

/// Asks for one interface at a time by ioctl(2), which takes a few microseconds however many there are.
#[derive(Debug)]
pub struct Glimpse {
    socket: OwnedFd,
}

impl Glimpse {
    /// Opens the socket that is asked.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub fn open() -> io::Result<Self> {
        let kind = SockFlag::SOCK_CLOEXEC;
        Ok(Self { socket: socket(AddressFamily::Inet, SockType::Datagram, kind, None)? })
    }

    /// Describes an interface, all but its addresses; `None` if there is none of this name.
    pub fn link(&self, name: &str) -> Option<Link> {
        let index = if_nametoindex(name).ok()?;
        let flags = self.ask(name, libc::SIOCGIFFLAGS)?;
        // SAFETY: the kernel has filled in the flags.
        let flags = libc::c_int::from(unsafe { flags.ifr_ifru.ifru_flags });
        let running = libc::IFF_UP | libc::IFF_RUNNING;
        let carrier = if flags & running == running { Carrier::Up } else { Carrier::Down };
        let hardware = self.ask(name, libc::SIOCGIFHWADDR)?;
        // SAFETY: the kernel has filled in the address.
        let hardware = unsafe { hardware.ifr_ifru.ifru_hwaddr };
        let mut mac = [0; 6];
        // Other kinds of links have addresses of other lengths.
        if hardware.sa_family == libc::ARPHRD_ETHER {
            for (to, from) in mac.iter_mut().zip(hardware.sa_data) {
                *to = from.cast_unsigned();
            }
        }
        Some(Link { index, name: name.to_owned(), mac, carrier, addresses: Vec::new() })
    }

    fn ask(&self, name: &str, request: libc::Ioctl) -> Option<libc::ifreq> {
        // SAFETY: an `ifreq` of zeros is valid.
        let mut asked: libc::ifreq = unsafe { mem::zeroed() };
        if name.len() >= asked.ifr_name.len() {
            return None;
        }
        for (to, from) in asked.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        // SAFETY: both requests read and write an `ifreq`, which outlives the call.
        let done = unsafe { libc::ioctl(self.socket.as_raw_fd(), request, &raw mut asked) };
        (done == 0).then_some(asked)
    }
}
