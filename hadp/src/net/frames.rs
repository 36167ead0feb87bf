//! The frames of a router, built before they are needed.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use hadp_common::wire::{
    arp, ether,
    ipv4::{self, IPPROTO_VRRP},
    vrrp::{self, Advert, Body},
};

use super::{
    packet::Frame,
    raw::{Membership, VrrpSocket},
};
use crate::{
    model::{Auth, Delivery, Router, Version},
    proto::Config,
};

/// Everything the election thread needs to speak for one router, without building anything.
#[derive(Debug)]
pub struct Outlet {
    /// The advert with the router's priority.
    pub advert: Message,
    /// The advert with priority 0.
    pub resign: Message,
    /// The virtual addresses: first `vips`, then `excluded_vips`.
    pub vips: Vec<IpAddr>,
    /// One announcement for each of them.
    pub announcements: Vec<Frame>,
    /// What the adverts need besides sockets for frames.
    pub line: Line,
    /// How often they are sent.
    pub every: Duration,
}

/// How a router is connected to its peers.
#[derive(Debug)]
pub enum Line {
    /// By a group.
    Group(Membership),
    /// By a socket that sends to each of them.
    Peers(VrrpSocket),
}

/// An advert ready to leave.
#[derive(Debug)]
pub enum Message {
    /// One frame to a group.
    Multicast(Frame),
    /// A message to each peer.
    Unicast(Vec<(Ipv4Addr, Box<[u8]>)>),
}

/// The interface a router speaks on, at the time its frames are built.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// Its index.
    pub ifindex: u32,
    /// Its own MAC.
    pub link_mac: [u8; 6],
    /// The MAC that answers for the router: the virtual one or `link_mac`.
    pub mac: [u8; 6],
    /// The address adverts are sent from.
    pub source: Ipv4Addr,
}

/// Why the frames of a router cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A socket operation failed.
    #[error("cannot {what}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// What failed.
        source: io::Error,
    },
    /// The model holds something these frames cannot carry.
    #[error("{0}")]
    Unencodable(&'static str),
}

impl Outlet {
    /// Builds the frames of `router` on `port`; `carrier` gives the index and MAC of the interface of each address.
    ///
    /// # Errors
    ///
    /// When the socket cannot be set up, or the router is not one over IPv4.
    pub fn build(
        router: &Router,
        port: Port,
        carrier: impl Fn(&str) -> Option<(u32, [u8; 6])>,
    ) -> Result<Self, FrameError> {
        let every = Config::from(router).advert_every();
        let line = match &router.delivery {
            Delivery::Multicast { group: IpAddr::V4(group) } => {
                let joined = Membership::join(*group, port.ifindex);
                Line::Group(joined.map_err(failed("join the multicast group"))?)
            }
            Delivery::Unicast { .. } => {
                let socket = VrrpSocket::open().map_err(failed("open a raw socket for VRRP"))?;
                socket.send_from(port.source, router.ttl).map_err(failed("send from the source address"))?;
                Line::Peers(socket)
            }
            Delivery::Multicast { group: IpAddr::V6(_) } => {
                return Err(FrameError::Unencodable("the group is IPv6"));
            }
        };
        let mut announcements = Vec::new();
        for vip in router.vips.iter().chain(&router.excluded_vips) {
            let IpAddr::V4(addr) = vip.addr else {
                return Err(FrameError::Unencodable("a virtual address is IPv6"));
            };
            let (ifindex, mac) = match carrier(&vip.dev) {
                // On the router's own interface its virtual MAC may speak.
                Some((index, _)) if index == port.ifindex => (index, port.mac),
                Some(other) => other,
                None => {
                    return Err(FrameError::Unencodable("the interface of a virtual address does not exist"));
                }
            };
            announcements.push(Frame { ifindex, octets: Box::new(arp::gratuitous(mac, addr.octets())) });
        }
        Ok(Self {
            advert: message(router, port, router.priority.get())?,
            resign: message(router, port, 0)?,
            vips: router.vips.iter().chain(&router.excluded_vips).map(|vip| vip.addr).collect(),
            announcements,
            line,
            every,
        })
    }

    /// Returns the advert with this priority: 0, or the router's.
    pub fn message(&self, priority: u8) -> &Message {
        if priority == 0 { &self.resign } else { &self.advert }
    }
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> FrameError {
    move |source| FrameError::Socket { what, source }
}

/// Builds a router's advert of this priority.
fn message(router: &Router, port: Port, priority: u8) -> Result<Message, FrameError> {
    match &router.delivery {
        Delivery::Multicast { group: IpAddr::V4(group) } => {
            let payload = advert(router, port.source, *group, priority)?;
            let header =
                ipv4::header(port.source.octets(), group.octets(), router.ttl, IPPROTO_VRRP, payload.len())
                    .ok_or(FrameError::Unencodable("the advert is too long"))?;
            let link = ether::header(ether::multicast_v4(group.octets()), port.mac, ether::ETHERTYPE_IPV4);
            let octets = [&link[..], &header, &payload].concat().into_boxed_slice();
            Ok(Message::Multicast(Frame { ifindex: port.ifindex, octets }))
        }
        Delivery::Multicast { group: IpAddr::V6(_) } => Err(FrameError::Unencodable("the group is IPv6")),
        Delivery::Unicast { peers, .. } => {
            let to = |peer: &crate::model::UnicastPeer| match peer.addr {
                IpAddr::V4(addr) => Ok((addr, advert(router, port.source, addr, priority)?)),
                IpAddr::V6(_) => Err(FrameError::Unencodable("a unicast peer is IPv6")),
            };
            Ok(Message::Unicast(peers.iter().map(to).collect::<Result<_, _>>()?))
        }
    }
}

/// Encodes the VRRP message.
fn advert(router: &Router, src: Ipv4Addr, dst: Ipv4Addr, priority: u8) -> Result<Box<[u8]>, FrameError> {
    let addresses: Vec<_> = router
        .vips
        .iter()
        .filter_map(|vip| match vip.addr {
            IpAddr::V4(addr) => Some(addr),
            IpAddr::V6(_) => None,
        })
        .collect();
    let body = match router.version {
        Version::V2(auth) => Body::V2 {
            seconds: whole_seconds(router.interval.duration())?,
            auth: match auth {
                Auth::None => None,
                Auth::Pass(password) => Some(password),
            },
        },
        Version::V3(checksum) => Body::V3 { centis: router.interval.get(), checksum },
    };
    let mut buf = [0; vrrp::MAX_LEN];
    let vrid = router.vrid.get();
    let len = Advert { vrid, priority, body, addresses: &addresses, src, dst }.encode(&mut buf);
    let message =
        len.and_then(|len| buf.get(..len)).ok_or(FrameError::Unencodable("too many virtual addresses"))?;
    Ok(message.into())
}

/// Returns a v2 interval as the wire has it.
fn whole_seconds(interval: Duration) -> Result<u8, FrameError> {
    match (u8::try_from(interval.as_secs()), interval.subsec_nanos()) {
        (Ok(seconds @ 1..), 0) => Ok(seconds),
        _ => Err(FrameError::Unencodable("VRRPv2 carries whole seconds, 1 to 255")),
    }
}

#[cfg(test)]
mod tests;
