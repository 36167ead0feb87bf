//! The sending sockets of BFD sessions (RFC 5881 §4, RFC 5883 §5).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use hadp_common::wire::{bfd, ipv4::TOS_CONTROL};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::queued::go_first;

/// The source ports a session may have: one for its life, unlike every other's of this node (RFC 5881 §4).
const PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

/// Where the packets of a session go, and what they carry on the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BfdPath {
    /// The neighbour.
    pub neighbor: IpAddr,
    /// The address to send from; else the kernel chooses by its routes.
    pub source: Option<IpAddr>,
    /// The interface to send by: name and index; else the kernel chooses.
    pub interface: Option<(String, u32)>,
    /// Whether the session runs over several hops.
    pub multihop: bool,
    /// The TTL or hop limit.
    pub ttl: u8,
}

/// A socket that sends the packets of one session.
#[derive(Debug)]
pub struct BfdSender {
    socket: Socket,
    port: u16,
}

impl BfdSender {
    /// Opens a socket for a session, from `port` if that is given and free.
    ///
    /// # Errors
    ///
    /// When no interface has the source address, the interface is gone, or nothing leads to the neighbour.
    pub fn open(path: &BfdPath, port: Option<u16>) -> io::Result<Self> {
        let socket = socket(path)?;
        match path.neighbor {
            IpAddr::V4(_) => {
                socket.set_ttl_v4(u32::from(path.ttl))?;
                socket.set_tos_v4(u32::from(TOS_CONTROL))?;
            }
            IpAddr::V6(_) => {
                socket.set_unicast_hops_v6(u32::from(path.ttl))?;
                socket.set_tclass_v6(u32::from(TOS_CONTROL))?;
            }
        }
        // After the TOS, from which the kernel derives one.
        go_first(&socket);
        // Nothing is read from it: packets come to the ports that RFC 5881 gives.
        socket.set_recv_buffer_size(0)?;
        let port = bind(&socket, path, port)?;
        socket.connect(&SockAddr::from(path.destination()))?;
        Ok(Self { socket, port })
    }

    /// Returns the source port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends elsewhere from now on, where a test listens.
    #[cfg(test)]
    pub(crate) fn redirect(&self, to: SocketAddr) -> io::Result<()> {
        self.socket.connect(&SockAddr::from(to))
    }

    /// Hands a packet to the kernel.
    ///
    /// # Errors
    ///
    /// When it did not take it: no route, no room.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        match self.socket.send(packet) {
            // What an ICMP message said of an earlier packet: this one has not been tried yet. Anybody can forge those, and
            // a neighbour whose BFD is not up yet sends them.
            Err(error) if is_old_news(&error) => self.socket.send(packet).map(drop),
            sent => sent.map(drop),
        }
    }
}

/// Returns the address that packets of this path leave from.
///
/// # Errors
///
/// When no interface has the source address, the interface is gone, or nothing leads to the neighbour.
pub fn local_address(path: &BfdPath) -> io::Result<IpAddr> {
    let socket = socket(path)?;
    if let Some(source) = path.source {
        socket.bind(&SockAddr::from(path.with_scope(source, 0)))?;
    }
    socket.connect(&SockAddr::from(path.destination()))?;
    let local = socket.local_addr()?.as_socket();
    local.map(|local| local.ip()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn socket(path: &BfdPath) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(path.destination()), kind, Some(Protocol::UDP))?;
    if let Some((name, _)) = &path.interface {
        socket.bind_device(Some(name.as_bytes()))?;
    }
    Ok(socket)
}

fn is_old_news(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH))
}

impl BfdPath {
    /// Returns the port that the neighbour receives on.
    pub fn destination_port(&self) -> u16 {
        if self.multihop { bfd::PORT_MULTIHOP } else { bfd::PORT }
    }

    fn destination(&self) -> SocketAddr {
        self.with_scope(self.neighbor, self.destination_port())
    }

    /// A link-local address is one on the session's interface.
    fn with_scope(&self, addr: IpAddr, port: u16) -> SocketAddr {
        match addr {
            IpAddr::V4(_) => SocketAddr::new(addr, port),
            IpAddr::V6(addr) => {
                let index = self.interface.as_ref().map_or(0, |(_, index)| *index);
                let scope = if addr.is_unicast_link_local() { index } else { 0 };
                SocketAddr::V6(SocketAddrV6::new(addr, port, 0, scope))
            }
        }
    }
}

/// Binds to the session's source and a port: the wanted one, or the first free one from a random one on.
fn bind(socket: &Socket, path: &BfdPath, wanted: Option<u16>) -> io::Result<u16> {
    let source = path.source.unwrap_or(match path.neighbor {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    });
    let first = wanted.unwrap_or(random_port()?);
    let ports = (first..=*PORTS.end()).chain(*PORTS.start()..first);
    let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
    for port in ports {
        match socket.bind(&SockAddr::from(path.with_scope(source, port))) {
            Ok(()) => return Ok(port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// Returns a port that nobody off the path can guess.
fn random_port() -> io::Result<u16> {
    let mut octets = [0; 2];
    // SAFETY: the buffer is as long as said and outlives the call.
    let got = unsafe { libc::getrandom(octets.as_mut_ptr().cast(), octets.len(), 0) };
    if got != 2 {
        return Err(io::Error::last_os_error());
    }
    Ok(*PORTS.start() | u16::from_ne_bytes(octets))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::{
        super::queued::{CONTROL, priority},
        *,
    };

    fn path(neighbor: IpAddr) -> BfdPath {
        BfdPath { neighbor, source: None, interface: None, multihop: false, ttl: 255 }
    }

    #[test]
    fn every_session_has_its_own_port_of_the_dynamic_range_and_keeps_it() {
        for neighbor in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let first = BfdSender::open(&path(neighbor), None).unwrap();
            let second = BfdSender::open(&path(neighbor), Some(first.port())).unwrap();
            assert_ne!(first.port(), second.port());
            assert_eq!(priority(&first.socket).unwrap(), CONTROL, "the TOS has not undone it");
            assert!(PORTS.contains(&first.port()) && PORTS.contains(&second.port()));
            let port = first.port();
            drop(first);
            assert_eq!(BfdSender::open(&path(neighbor), Some(port)).unwrap().port(), port);
        }
    }

    #[test]
    fn a_refusal_of_an_earlier_packet_keeps_no_later_one_back() {
        // A port that is closed answers the first packet with an ICMP message, and the second send hears of it.
        let closed = UdpSocket::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let sender = BfdSender::open(&path(IpAddr::V4(Ipv4Addr::LOCALHOST)), None).unwrap();
        sender.redirect(closed).unwrap();
        for _ in 0..4 {
            sender.send(b"packet").unwrap();
        }
    }

    #[test]
    fn an_address_that_is_nowhere_cannot_be_a_source() {
        let mut path = path(IpAddr::V4(Ipv4Addr::LOCALHOST));
        path.source = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(BfdSender::open(&path, None).unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }
}
