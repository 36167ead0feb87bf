//! A packet socket on a machine's `eth0`.

use std::{io, mem, os::fd::AsRawFd, time::Duration};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    net::if_::if_nametoindex,
    sys::socket::{setsockopt, sockopt},
};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use crate::lab::Node;

/// The longest frame that is read; the LAN's MTU is 1,500.
const MAX_FRAME: usize = 2048;
/// Room for a second of probes should the reader not be scheduled for so long.
const RECEIVE_BUFFER: usize = 8 << 20;
/// How long a read waits, so that its thread notices that it should end.
const READ_TIMEOUT: Duration = Duration::from_millis(20);

/// Sends and receives whole frames on `eth0`; does not hear what the machine itself sends.
#[derive(Debug)]
pub(super) struct PacketSocket(Socket);

impl PacketSocket {
    /// Opens a socket on a machine.
    pub(super) fn open(node: &Node) -> Result<Self> {
        node.holder().in_net(open).map(Self).context("opening a packet socket")
    }

    /// Sends a frame; one that the link does not take is as lost as one that the LAN loses.
    pub(super) fn send(&self, frame: &[u8]) {
        let _ = self.0.send(frame);
    }

    /// Returns the next frame, or `None` if none comes for a while.
    pub(super) fn receive<'a>(&self, buf: &'a mut [u8; MAX_FRAME]) -> Option<&'a [u8]> {
        let len = io::Read::read(&mut &self.0, buf).ok()?;
        buf.get(..len)
    }

    /// Returns a buffer for [`Self::receive`].
    pub(super) fn buffer() -> [u8; MAX_FRAME] {
        [0; MAX_FRAME]
    }
}

fn open() -> Result<Socket> {
    let protocol = libc::ETH_P_ALL as u16;
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(protocol.to_be()))))?;
    let ifindex = i32::try_from(if_nametoindex("eth0")?)?;
    let fill = |storage: *mut SockAddrStorage, len: *mut libc::socklen_t| {
        let address = storage.cast::<libc::sockaddr_ll>();
        // SAFETY: the storage is zeroed, and large and aligned enough for any address.
        unsafe {
            (*address).sll_family = libc::AF_PACKET as u16;
            (*address).sll_protocol = protocol.to_be();
            (*address).sll_ifindex = ifindex;
            *len = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        }
        Ok(())
    };
    // SAFETY: the closure writes a whole address and its length.
    let ((), address) = unsafe { SockAddr::try_init(fill) }?;
    socket.bind(&address)?;
    setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    socket.set_read_timeout(Some(READ_TIMEOUT))?;
    ignore_outgoing(&socket)?;
    Ok(socket)
}

fn ignore_outgoing(socket: &Socket) -> Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, which outlives the call, and its length is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop).context("setting PACKET_IGNORE_OUTGOING")
}
