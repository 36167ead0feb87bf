//! What rtnetlink says of an interface.

use std::{io, os::fd::AsRawFd};

use super::attach::Mode;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use rtnetlink::packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage, LinkXdp, XdpAttached},
};

/// The part of a link's description that attaching needs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Link {
    /// Whether it is one end of a veth pair.
    pub(super) is_veth: bool,
    /// The XDP program that is attached to it, by identifier.
    pub(super) program: Option<u32>,
    /// How that program runs.
    pub(super) mode: Option<Mode>,
}

/// Asks for one interface in the network namespace of this thread.
///
/// # Errors
///
/// `NotFound` if there is no such interface, else what the kernel says.
pub(super) fn query(ifindex: u32) -> io::Result<Link> {
    let mut link = LinkMessage::default();
    link.header.index = ifindex;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(RouteNetlinkMessage::GetLink(link)));
    request.finalize();
    let mut buffer = vec![0; 64 * 1024];
    let request_len = request.buffer_len();
    request.serialize(&mut buffer);
    let protocol = SockProtocol::NetlinkRoute;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    send(socket.as_raw_fd(), buffer.get(..request_len).unwrap_or_default(), MsgFlags::empty())?;
    let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    let reply = NetlinkMessage::<RouteNetlinkMessage>::deserialize(buffer.get(..len).unwrap_or_default())
        .map_err(io::Error::other)?;
    if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = reply.payload {
        return Ok(describe(&link));
    }
    let NetlinkPayload::Error(error) = reply.payload else { return Err(io::ErrorKind::InvalidData.into()) };
    match error.to_io() {
        error if error.raw_os_error() == Some(libc::ENODEV) => Err(io::ErrorKind::NotFound.into()),
        error => Err(error),
    }
}

/// Returns the mode that an attribute tells, if it does.
fn mode(item: &LinkXdp) -> Option<Mode> {
    let LinkXdp::Attached(attached) = item else { return None };
    if *attached == XdpAttached::Driver {
        Some(Mode::Native)
    } else {
        (*attached == XdpAttached::SocketBuffer).then_some(Mode::Generic)
    }
}

/// Picks what is needed out of the attributes.
fn describe(message: &LinkMessage) -> Link {
    let mut link = Link::default();
    for attribute in &message.attributes {
        if let LinkAttribute::LinkInfo(infos) = attribute {
            link.is_veth = infos.iter().any(|info| matches!(info, LinkInfo::Kind(InfoKind::Veth)));
        }
        if let LinkAttribute::Xdp(xdp) = attribute {
            let id = |item: &LinkXdp| if let LinkXdp::ProgId(id) = item { Some(*id) } else { None };
            link.program = xdp.iter().find_map(id).filter(|id| *id != 0);
            link.mode = xdp.iter().find_map(mode);
        }
    }
    link
}
