//! Sending whole Ethernet frames.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, OwnedFd},
    ptr,
};

use socket2::{Domain, Socket, Type};

use super::queued::{Queue, go_first, queued};

/// How many frames one system call takes at most.
pub const BATCH: usize = 64;

/// The send buffer asked for; more than the default, so that a burst of announcements leaves in one go.
const SEND_BUFFER: usize = 4 << 20;

/// A frame, complete from its Ethernet header on, and the interface it leaves by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The interface's index.
    pub ifindex: u32,
    /// The octets.
    pub octets: Box<[u8]>,
}

/// An AF_PACKET socket that sends and never receives.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

/// How far a batch got.
#[derive(Debug)]
pub struct Sent {
    /// How many frames the kernel took, from the front.
    pub count: usize,
    /// Why it took no more.
    pub error: Option<io::Error>,
}

impl PacketSocket {
    /// Opens a socket; protocol 0, so that no received frame is ever queued to it.
    ///
    /// # Errors
    ///
    /// Without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::PACKET, kind, None)?;
        set_send_buffer(&socket);
        Ok(Self { fd: socket.into() })
    }

    /// Opens one whose frames go before others, where the interface's queue has bands.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn urgent() -> io::Result<Self> {
        let socket = Self::open()?;
        go_first(&socket.fd);
        Ok(socket)
    }

    /// Sends up to [`BATCH`] frames in one system call.
    pub fn send<'a>(&self, frames: impl IntoIterator<Item = &'a Frame>) -> Sent {
        // SAFETY: all three are plain C structs for which zero is a valid value.
        let (mut vectors, mut names, mut messages): (
            [libc::iovec; BATCH],
            [libc::sockaddr_ll; BATCH],
            [libc::mmsghdr; BATCH],
        ) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        let slots = vectors.iter_mut().zip(names.iter_mut()).zip(messages.iter_mut());
        let mut wanted = 0;
        for (frame, ((vector, name), message)) in frames.into_iter().zip(slots) {
            vector.iov_base = frame.octets.as_ptr().cast_mut().cast();
            vector.iov_len = frame.octets.len();
            name.sll_family = libc::AF_PACKET as libc::sa_family_t;
            name.sll_ifindex = frame.ifindex.cast_signed();
            message.msg_hdr.msg_name = ptr::from_mut(name).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            wanted += 1;
        }
        if wanted == 0 {
            return Sent { count: 0, error: None };
        }
        // SAFETY: the first `wanted` headers point to names and vectors on this stack frame and to octets borrowed
        // for the call; the kernel only reads them.
        let sent =
            unsafe { libc::sendmmsg(self.fd.as_raw_fd(), messages.as_mut_ptr(), wanted, libc::MSG_DONTWAIT) };
        match usize::try_from(sent) {
            Ok(count) if count == wanted as usize => Sent { count, error: None },
            // The reason why the kernel stopped in the middle comes with the next call.
            Ok(count) => Sent { count, error: Some(io::ErrorKind::WouldBlock.into()) },
            Err(_) => Sent { count: 0, error: Some(io::Error::last_os_error()) },
        }
    }

    /// Asks the interface to receive frames to a further unicast MAC, for as long as the socket is open.
    ///
    /// # Errors
    ///
    /// When the interface is gone or the driver refuses.
    pub fn listen_to(&self, ifindex: u32, mac: [u8; 6]) -> io::Result<()> {
        self.membership(libc::PACKET_ADD_MEMBERSHIP, ifindex, mac)
    }

    /// Takes that back.
    ///
    /// # Errors
    ///
    /// When it was not asked to.
    pub fn ignore(&self, ifindex: u32, mac: [u8; 6]) -> io::Result<()> {
        self.membership(libc::PACKET_DROP_MEMBERSHIP, ifindex, mac)
    }

    fn membership(&self, option: libc::c_int, ifindex: u32, mac: [u8; 6]) -> io::Result<()> {
        let [a, b, c, d, e, f] = mac;
        let request = libc::packet_mreq {
            mr_ifindex: ifindex.cast_signed(),
            mr_type: libc::PACKET_MR_UNICAST as libc::c_ushort,
            mr_alen: 6,
            mr_address: [a, b, c, d, e, f, 0, 0],
        };
        // SAFETY: `request` is valid for the call and its length is given.
        let done = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                ptr::from_ref(&request).cast(),
                size_of_val(&request) as libc::socklen_t,
            )
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl Queue for PacketSocket {
    fn queued(&self) -> io::Result<u32> {
        queued(&self.fd)
    }
}

/// Raises the send buffer, past the system's limit where allowed.
fn set_send_buffer(socket: &Socket) {
    let size = SEND_BUFFER as libc::c_int;
    // SAFETY: `size` is valid for the call and its length is given.
    let forced = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUFFORCE,
            ptr::from_ref(&size).cast(),
            size_of_val(&size) as libc::socklen_t,
        )
    };
    if forced != 0 {
        // Without CAP_NET_ADMIN the system's limit stays; a full buffer only delays announcements.
        drop(socket.set_send_buffer_size(SEND_BUFFER));
    }
}
