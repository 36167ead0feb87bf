//! The interfaces of this machine, followed over netlink.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "netlink has dozens of messages and attributes, and grows"
)]

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
};

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkMessage},
};
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};

/// One interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC; zeros where it has none of six octets.
    pub mac: [u8; 6],
    /// Whether it can carry packets.
    pub carrier: Carrier,
    /// Its IPv4 addresses with their prefix lengths, in the kernel's order: the primary one first.
    pub addresses: Vec<(Ipv4Addr, u8)>,
}

/// Whether an interface can carry packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// Administratively up, and operationally running.
    Up,
    /// Not.
    Down,
}

/// All interfaces, by index.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: BTreeMap<u32, Link>,
}

/// Something changed on an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The interface itself: it came, changed, or went.
    Link,
    /// An address was put on an interface.
    Added(IpAddr),
    /// An address was taken off the interface of this index.
    Removed(u32, IpAddr),
}

impl Links {
    /// Puts an interface in.
    pub fn insert(&mut self, link: Link) {
        self.links.insert(link.index, link);
    }

    /// Returns the interface of this name.
    pub fn by_name(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }

    /// Returns the interface of this index.
    pub fn by_index(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// Tells whether an interface has an address.
    pub fn has(&self, index: u32, addr: IpAddr) -> bool {
        self.links.get(&index).is_some_and(|link| link.addresses.iter().any(|&(held, _)| addr == held))
    }

    /// Tells whether any interface has an address.
    pub fn has_anywhere(&self, addr: Ipv4Addr) -> bool {
        self.links.keys().any(|&index| self.has(index, IpAddr::V4(addr)))
    }

    /// Applies a netlink message; `None` if it changed nothing that matters here.
    pub fn apply(&mut self, message: &RouteNetlinkMessage) -> Option<Change> {
        match message {
            // A bridge tells of its ports in messages of its own family: leaving it is not the end of an interface.
            RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link)
                if link.header.interface_family != AddressFamily::Unspec =>
            {
                None
            }
            RouteNetlinkMessage::NewLink(link) => self.set_link(link),
            RouteNetlinkMessage::DelLink(link) => self.links.remove(&link.header.index).map(|_| Change::Link),
            RouteNetlinkMessage::NewAddress(address) => {
                let (local, prefix, index) = ipv4_of(address)?;
                let link = self.links.get_mut(&index)?;
                if link.addresses.contains(&(local, prefix)) {
                    return None;
                }
                link.addresses.push((local, prefix));
                Some(Change::Added(IpAddr::V4(local)))
            }
            RouteNetlinkMessage::DelAddress(address) => {
                let (local, prefix, index) = ipv4_of(address)?;
                if let Some(link) = self.links.get_mut(&index) {
                    link.addresses.retain(|&known| known != (local, prefix));
                }
                Some(Change::Removed(index, IpAddr::V4(local)))
            }
            // The other messages of the groups, and whatever a later kernel adds.
            _ => None,
        }
    }

    fn set_link(&mut self, message: &LinkMessage) -> Option<Change> {
        let (mut name, mut mac) = (None, [0; 6]);
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(value) => name = Some(value.clone()),
                LinkAttribute::Address(octets) => mac = octets.as_slice().try_into().unwrap_or_default(),
                // The other fifty attributes of a link.
                _ => {}
            }
        }
        let index = message.header.index;
        let usable = message.header.flags.contains(LinkFlags::Up | LinkFlags::Running);
        let carrier = if usable { Carrier::Up } else { Carrier::Down };
        let addresses = self.links.get(&index).map(|link| link.addresses.clone()).unwrap_or_default();
        let link = Link { index, name: name?, mac, carrier, addresses };
        if self.links.get(&index) == Some(&link) {
            return None;
        }
        self.links.insert(index, link);
        Some(Change::Link)
    }
}

fn ipv4_of(message: &AddressMessage) -> Option<(Ipv4Addr, u8, u32)> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(IpAddr::V4(addr)) => Some(*addr),
        // `Address` is the peer's on a point-to-point link; IPv6 has no `Local`.
        _ => None,
    })?;
    Some((local, message.header.prefix_len, message.header.index))
}

/// The stream of changes.
pub struct Monitor {
    payloads: BoxStream<'static, NetlinkPayload<RouteNetlinkMessage>>,
}

/// What the monitor saw.
#[derive(Debug)]
pub enum Seen {
    /// A message.
    Message(RouteNetlinkMessage),
    /// Messages were lost, or the connection ended: open a new monitor.
    Lost,
}

impl Monitor {
    /// Subscribes to changes, then reads all interfaces and addresses, so that nothing falls between.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the subscription or a dump.
    pub async fn open() -> io::Result<(Self, Links)> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr];
        let (connection, handle, messages) = new_multicast_connection(&groups)?;
        tokio::spawn(connection);
        let links = dump(&handle).await.map_err(io::Error::other)?;
        Ok((
            Self { payloads: stream::StreamExt::map(messages, |(message, _)| message.payload).boxed() },
            links,
        ))
    }

    /// Waits for the next change.
    pub async fn next(&mut self) -> Seen {
        loop {
            match self.payloads.next().await {
                Some(NetlinkPayload::InnerMessage(message)) => return Seen::Message(message),
                Some(NetlinkPayload::Overrun(_)) | None => return Seen::Lost,
                // Acknowledgements and the ends of dumps.
                Some(_) => {}
            }
        }
    }
}

async fn dump(handle: &Handle) -> Result<Links, rtnetlink::Error> {
    let mut links = Links::default();
    let mut found = handle.link().get().execute();
    while let Some(link) = found.try_next().await? {
        links.apply(&RouteNetlinkMessage::NewLink(link));
    }
    let mut found = handle.address().get().execute();
    while let Some(address) = found.try_next().await? {
        links.apply(&RouteNetlinkMessage::NewAddress(address));
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, flags: LinkFlags) -> RouteNetlinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, index as u8]),
        ];
        RouteNetlinkMessage::NewLink(message)
    }

    fn address(index: u32, last: u8) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.prefix_len = 16;
        message.attributes = vec![AddressAttribute::Local(Ipv4Addr::new(10, 77, 0, last).into())];
        message
    }

    #[test]
    fn an_interface_that_returns_under_a_new_index_is_found_by_name() {
        let mut links = Links::default();
        let running = LinkFlags::Up | LinkFlags::Running;
        assert_eq!(links.apply(&link(7, "eth0", running)), Some(Change::Link));
        assert_eq!(links.apply(&link(7, "eth0", running)), None);
        let added = links.apply(&RouteNetlinkMessage::NewAddress(address(7, 1)));
        assert_eq!(added, Some(Change::Added("10.77.0.1".parse().unwrap())));
        assert_eq!(links.apply(&link(7, "eth0", LinkFlags::Up)), Some(Change::Link));
        let eth0 = links.by_name("eth0").unwrap();
        assert_eq!((eth0.carrier, eth0.addresses.len()), (Carrier::Down, 1));
        let RouteNetlinkMessage::NewLink(gone) = link(7, "eth0", running) else { unreachable!() };
        assert_eq!(links.apply(&RouteNetlinkMessage::DelLink(gone)), Some(Change::Link));
        assert_eq!(links.by_name("eth0"), None);
        links.apply(&link(9, "eth0", running));
        assert_eq!(links.by_name("eth0").unwrap().addresses, []);
    }

    #[test]
    fn a_removed_address_is_reported() {
        let mut links = Links::default();
        links.apply(&link(7, "eth0", LinkFlags::Up));
        links.apply(&RouteNetlinkMessage::NewAddress(address(7, 100)));
        let removed = links.apply(&RouteNetlinkMessage::DelAddress(address(7, 100)));
        assert_eq!(removed, Some(Change::Removed(7, "10.77.0.100".parse().unwrap())));
        assert_eq!(links.by_index(7).unwrap().addresses, []);
    }
}
