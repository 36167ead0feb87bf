//! Raw IP sockets: group membership, unicast adverts, and a sink for what the kernel would refuse.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
};

use hadp_common::wire::ipv4::{IPPROTO_VRRP, TOS_CONTROL};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockFilter, Socket, Type};

/// A raw socket of IP protocol 112.
///
/// XDP has read every advert before a socket could, so its filter discards all it receives. The socket is there because
/// a host without one answers unicast adverts with ICMP protocol unreachable, because a group must have a member
/// for the switch to deliver it, and to send by unicast, which needs the kernel's routes and neighbours.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Socket,
}

impl VrrpSocket {
    /// Opens a socket that discards all it receives.
    ///
    /// # Errors
    ///
    /// Without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::from(i32::from(IPPROTO_VRRP))))?;
        socket.attach_filter(&[SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0)])?;
        Ok(Self { socket })
    }

    /// Joins a group on an interface.
    ///
    /// # Errors
    ///
    /// When the interface is gone or cannot multicast; having joined already is none.
    pub fn join(&self, group: Ipv4Addr, ifindex: u32) -> io::Result<()> {
        match self.socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(ifindex)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            other => other,
        }
    }

    /// Sets the source and the TTL of what is sent.
    ///
    /// # Errors
    ///
    /// When no interface has the source address.
    pub fn send_from(&self, source: Ipv4Addr, ttl: u8) -> io::Result<()> {
        self.socket.bind(&SockAddr::from(SocketAddrV4::new(source, 0)))?;
        self.socket.set_ttl_v4(u32::from(ttl))?;
        self.socket.set_tos_v4(u32::from(TOS_CONTROL))
    }

    /// Sends a VRRP message to a peer.
    ///
    /// # Errors
    ///
    /// When the kernel has no route or no room.
    pub fn send(&self, message: &[u8], peer: Ipv4Addr) -> io::Result<()> {
        self.socket.send_to(message, &SockAddr::from(SocketAddrV4::new(peer, 0))).map(|_| ())
    }
}
