//! The receiving sockets of BFD: deaf, but for packets that only the daemon can verify.
//!
//! The datapath has read every packet before a socket could. The sockets are there because a host without one answers with
//! ICMP port unreachable, and to pass on what is authenticated.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd},
};

use hadp_common::wire::bfd::{AUTHENTICATED, PORT, PORT_MULTIHOP};
use nix::{
    cmsg_space,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt},
};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

/// The longest packet that is read; a longer one is none of BFD (RFC 5880 §4.1: its length is one octet).
pub const MAX_PACKET: usize = 256;

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot receive on UDP port {port} of {addr}{}", in_use(.source))]
pub struct PortError {
    /// The port.
    pub port: u16,
    /// The wildcard address of the family.
    pub addr: IpAddr,
    /// Why.
    pub source: io::Error,
}

fn in_use(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::AddrInUse {
        ": another BFD daemon has it; BFD sessions wait until it stops"
    } else {
        ""
    }
}

/// One receiving socket.
#[derive(Debug)]
pub struct BfdReceiver {
    socket: Socket,
    multihop: bool,
}

/// A packet as a socket gives it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The sender.
    pub from: IpAddr,
    /// The address it was sent to, if the kernel says.
    pub to: Option<IpAddr>,
    /// The interface it came in by, 0 if the kernel does not say.
    pub ifindex: u32,
    /// Its TTL or hop limit, 0 if the kernel does not say.
    pub ttl: u8,
    /// Whether it came to the port of multihop sessions.
    pub multihop: bool,
    /// The BFD packet.
    pub payload: &'a [u8],
}

impl BfdReceiver {
    /// Opens the sockets of both ports, over IPv4 and, where the machine has it, IPv6.
    ///
    /// # Errors
    ///
    /// When a port is another program's.
    pub fn open_all() -> Result<Vec<Self>, PortError> {
        let mut receivers = Vec::with_capacity(4);
        for addr in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
            for (port, multihop) in [(PORT, false), (PORT_MULTIHOP, true)] {
                match open(SocketAddr::new(addr, port)) {
                    Ok(socket) => receivers.push(Self { socket, multihop }),
                    Err(error) if addr.is_ipv6() && is_without_ipv6(&error) => {}
                    Err(source) => return Err(PortError { port, addr, source }),
                }
            }
        }
        Ok(receivers)
    }

    /// Takes the next packet, if there is one; `buffer` keeps its octets.
    ///
    /// # Errors
    ///
    /// What recvmsg(2) says.
    pub fn receive<'b>(&self, buffer: &'b mut [u8; MAX_PACKET]) -> io::Result<Option<Datagram<'b>>> {
        let mut control = cmsg_space!(libc::in6_pktinfo, libc::c_int, libc::c_int);
        let (mut to, mut ifindex, mut ttl) = (None, 0, 0);
        let (len, from) = {
            let mut parts = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let received =
                recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags);
            let message = match received {
                Ok(message) => message,
                Err(nix::errno::Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            };
            for part in message.cmsgs()? {
                note(&part, &mut to, &mut ifindex, &mut ttl);
            }
            (message.bytes, message.address.as_ref().and_then(ip_of))
        };
        let (Some(from), Some(payload)) = (from, buffer.get(..len)) else { return Ok(None) };
        Ok(Some(Datagram { from, to, ifindex, ttl, multihop: self.multihop, payload }))
    }
}

impl AsFd for BfdReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel has dozens of control messages; three were asked for"
)]
fn note(part: &ControlMessageOwned, to: &mut Option<IpAddr>, ifindex: &mut u32, ttl: &mut u8) {
    match part {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            *to = Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))));
            *ifindex = u32::try_from(info.ipi_ifindex).unwrap_or(0);
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            *to = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
            *ifindex = info.ipi6_ifindex;
        }
        ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
            *ttl = u8::try_from(*value).unwrap_or(0);
        }
        _ => {}
    }
}

fn ip_of(addr: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = addr.as_sockaddr_in().map(|addr| IpAddr::V4(addr.ip()));
    v4.or_else(|| addr.as_sockaddr_in6().map(|addr| IpAddr::V6(addr.ip())))
}

fn is_without_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

fn open(addr: SocketAddr) -> io::Result<Socket> {
    let socket =
        Socket::new(Domain::for_address(addr), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    // Before it is bound: nothing slips in.
    socket.attach_filter(&only_authenticated())?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
    } else {
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
    }
    socket.bind(&SockAddr::from(addr))?;
    Ok(socket)
}

/// Returns a filter that discards all but packets with the A bit; it sees them from the UDP header on.
fn only_authenticated() -> [SockFilter; 4] {
    /// Eight octets of UDP, then version and diagnostic, then state and flags.
    const FLAGS: u32 = 8 + 1;
    let code = |bits: u32| u16::try_from(bits).unwrap_or(0);
    [
        // A packet without this octet ends here, discarded.
        SockFilter::new(code(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS), 0, 0, FLAGS),
        SockFilter::new(code(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K), 0, 1, u32::from(AUTHENTICATED)),
        SockFilter::new(code(libc::BPF_RET | libc::BPF_K), 0, 0, u32::MAX),
        SockFilter::new(code(libc::BPF_RET | libc::BPF_K), 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    /// The filter alone lets through what has the A bit, and the rest of the packet tells where it came from.
    #[test]
    fn only_authenticated_packets_are_read() {
        for local in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let receiver = BfdReceiver { socket: open(SocketAddr::new(local, 0)).unwrap(), multihop: true };
            let to = receiver.socket.local_addr().unwrap().as_socket().unwrap();
            let sender = UdpSocket::bind((local, 0)).unwrap();
            sender.set_ttl(200).ok(); // IPv4 alone
            for packet in [&[0x20u8, 0xc0, 3][..], &[0x20], &[], &[0x20, 0xc4, 5], &[0x20, 0x3b]] {
                sender.send_to(packet, to).unwrap();
            }
            let mut buffer = [0; MAX_PACKET];
            let got = receiver.receive(&mut buffer).unwrap().unwrap();
            assert_eq!((got.payload, got.from, got.to), (&[0x20u8, 0xc4, 5][..], local, Some(local)));
            assert_eq!(got.ttl, if local.is_ipv4() { 200 } else { 64 });
            assert!(got.multihop && got.ifindex > 0);
            assert!(receiver.receive(&mut buffer).unwrap().is_none());
        }
    }
}
