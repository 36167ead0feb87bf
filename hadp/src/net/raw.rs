//! Sockets besides those for frames: group membership, unicast adverts, and a sink for what the kernel would refuse.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
};

use hadp_common::wire::ipv4::{IPPROTO_VRRP, TOS_CONTROL};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockFilter, Socket, Type};

use super::queued::{Queue, go_first, queued};

/// A raw socket of IP protocol 112.
///
/// XDP has read every advert before a socket could, so its filter discards all it receives. The socket is there because
/// a host without one answers unicast adverts with ICMP protocol unreachable, and to send by unicast, which needs the
/// kernel's routes and neighbours. The kernel looks at every such socket for every advert, so there are few of them: none
/// takes part in a group.
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
        // Else it is given a copy of every advert to any group that the host has joined.
        socket.set_multicast_all_v4(false)?;
        Ok(Self { socket })
    }

    /// Sets the source and the TTL of what is sent.
    ///
    /// # Errors
    ///
    /// When no interface has the source address.
    pub fn send_from(&self, source: Ipv4Addr, ttl: u8) -> io::Result<()> {
        self.socket.bind(&SockAddr::from(SocketAddrV4::new(source, 0)))?;
        self.socket.set_ttl_v4(u32::from(ttl))?;
        self.socket.set_tos_v4(u32::from(TOS_CONTROL))?;
        // After the TOS, from which the kernel derives one.
        go_first(&self.socket);
        Ok(())
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

impl Queue for VrrpSocket {
    fn queued(&self) -> io::Result<u32> {
        queued(&self.socket)
    }
}

/// A member of a multicast group: a switch delivers a group only where it has one.
///
/// It is a UDP socket without a port, which receives nothing: a raw socket would be given every advert, and a thousand of
/// them a thousand copies of each.
#[derive(Debug)]
pub struct Membership {
    _socket: Socket,
}

impl Membership {
    /// Joins a group on an interface, until dropped.
    ///
    /// # Errors
    ///
    /// When the interface is gone or cannot multicast.
    pub fn join(group: Ipv4Addr, ifindex: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), None)?;
        socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(ifindex))?;
        Ok(Self { _socket: socket })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::queued::{CONTROL, priority},
        *,
    };

    #[test]
    fn adverts_by_unicast_go_first() {
        let socket = VrrpSocket::open().unwrap();
        socket.send_from(Ipv4Addr::LOCALHOST, 255).unwrap();
        assert_eq!(priority(&socket.socket).unwrap(), CONTROL, "the TOS has not undone it");
        assert_eq!(socket.queued().unwrap(), 0);
    }
}
