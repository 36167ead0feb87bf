//! The BFD sessions of the configuration: where each runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use hadp_common::bfd::MAX_BFD_SESSIONS;
use nix::ifaddrs::getifaddrs;

use crate::{
    datapath::PlannedSession,
    model::BfdInstance,
    net::{
        bfd::{BfdPath, local_address},
        link::{Carrier, Links},
    },
    proto::bfd::SessionId,
};

/// The configuration has more sessions than the maps have places.
#[derive(Debug, thiserror::Error)]
#[error("{0} BFD sessions are more than the {max} a node can run", max = MAX_BFD_SESSIONS - 1)]
pub struct TooManySessions(usize);

/// A session of the configuration.
#[derive(Debug)]
pub(crate) struct Neighbor {
    /// What is configured.
    pub(crate) instance: BfdInstance,
    /// The local discriminator.
    pub(crate) discriminator: u32,
    /// Where it runs, if it can.
    pub(crate) site: Option<Site>,
    /// The source port, once it had one.
    pub(crate) port: Option<u16>,
    /// Whether its state machine runs.
    pub(crate) begun: bool,
    /// Whether it was told that it has no path.
    pub(crate) complained: bool,
    /// Its place in the configuration.
    pub(crate) position: usize,
    /// Whether it has left the configuration, and the neighbour is being told.
    pub(crate) leaving: bool,
}

impl Neighbor {
    fn new(id: SessionId, position: usize, instance: BfdInstance) -> Self {
        Self {
            instance,
            discriminator: discriminator(id),
            site: None,
            port: None,
            begun: false,
            complained: false,
            position,
            leaving: false,
        }
    }
}

/// Where a session runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Site {
    /// How its packets leave.
    pub(crate) path: BfdPath,
    /// The address they leave from.
    pub(crate) source: IpAddr,
    /// The interface that has this address, by which the neighbour's packets arrive: index and name.
    pub(crate) interface: (u32, String),
}

/// All sessions, by their places in the maps.
#[derive(Debug, Default)]
pub(crate) struct Neighbors {
    entries: BTreeMap<SessionId, Neighbor>,
}

impl Neighbors {
    /// Gives every session its place, in the configuration's order.
    ///
    /// # Errors
    ///
    /// When there are more sessions than places.
    pub(crate) fn new(sessions: Vec<BfdInstance>) -> Result<Self, TooManySessions> {
        let count = sessions.len();
        let mut entries = BTreeMap::new();
        for (index, instance) in (1..).zip(sessions) {
            let id = SessionId::new(index).ok_or(TooManySessions(count))?;
            entries.insert(id, Neighbor::new(id, entries.len(), instance));
        }
        Ok(Self { entries })
    }

    /// Gives a session a place; `None` if there is none.
    pub(crate) fn add(&mut self, position: usize, instance: BfdInstance) -> Option<SessionId> {
        let free = |id: &SessionId| !self.entries.contains_key(id);
        let id = (1..MAX_BFD_SESSIONS).filter_map(SessionId::new).find(free)?;
        self.entries.insert(id, Neighbor::new(id, position, instance));
        Some(id)
    }

    /// Takes out a session whose neighbour has been told.
    pub(crate) fn remove(&mut self, id: SessionId) {
        self.entries.remove(&id);
    }

    /// Returns all sessions, by ascending identifier.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Neighbor)> {
        self.entries.iter().map(|(id, neighbor)| (*id, neighbor))
    }

    /// Returns a session.
    pub(crate) fn get(&self, id: SessionId) -> Option<&Neighbor> {
        self.entries.get(&id)
    }

    /// Returns a session to change what was found of it.
    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Neighbor> {
        self.entries.get_mut(&id)
    }

    /// Returns every session with what is configured.
    pub(crate) fn instances(&self) -> Vec<(SessionId, &BfdInstance)> {
        self.iter().map(|(id, neighbor)| (id, &neighbor.instance)).collect()
    }

    /// Returns every interface that sessions' packets arrive by.
    pub(crate) fn interfaces(&self) -> BTreeSet<u32> {
        self.entries.values().filter_map(|neighbor| Some(neighbor.site.as_ref()?.interface.0)).collect()
    }

    /// Describes to the datapath every session that can run.
    pub(crate) fn plan(&self) -> Vec<PlannedSession> {
        self.iter()
            .filter_map(|(id, neighbor)| {
                let instance = &neighbor.instance;
                let site = neighbor.site.as_ref()?;
                Some(PlannedSession {
                    id,
                    discriminator: neighbor.discriminator,
                    remote: instance.neighbor,
                    local: instance.source,
                    ifindex: if instance.multihop { 0 } else { site.interface.0 },
                    min_ttl: instance.min_ttl,
                    multihop: instance.multihop,
                    authenticated: instance.auth.is_some(),
                })
            })
            .collect()
    }
}

/// Finds where a session can run now.
///
/// # Errors
///
/// When its interface is missing or down, nothing leads to the neighbour, or the address to send from is nowhere.
pub(crate) fn place(instance: &BfdInstance, links: &Links) -> io::Result<Site> {
    let down = |text: &str| io::Error::new(io::ErrorKind::NetworkDown, text);
    let named = match &instance.interface {
        Some(name) => {
            let link = links.by_name(name).ok_or_else(|| down("its interface does not exist"))?;
            Some((link.name.clone(), link.index))
        }
        None => None,
    };
    let path = BfdPath {
        neighbor: instance.neighbor,
        source: instance.source,
        interface: named,
        multihop: instance.multihop,
        ttl: instance.ttl,
    };
    let source = local_address(&path)?;
    let interface = match &path.interface {
        Some((name, index)) => (*index, name.clone()),
        // The address that the kernel would choose is on the interface that leads there; a given one may be on another.
        None => {
            let chosen = local_address(&BfdPath { source: None, ..path.clone() })?;
            interface_of(chosen, links)?
        }
    };
    if links.by_index(interface.0).is_none_or(|link| link.carrier == Carrier::Down) {
        return Err(down("its interface is down"));
    }
    Ok(Site { path, source, interface })
}

/// Returns the interface that has an address.
fn interface_of(addr: IpAddr, links: &Links) -> io::Result<(u32, String)> {
    let holds = |held: &nix::sys::socket::SockaddrStorage| match addr {
        IpAddr::V4(addr) => held.as_sockaddr_in().is_some_and(|held| held.ip() == addr),
        IpAddr::V6(addr) => held.as_sockaddr_in6().is_some_and(|held| held.ip() == addr),
    };
    let name = getifaddrs()?
        .find(|entry| entry.address.as_ref().is_some_and(holds))
        .map(|entry| entry.interface_name);
    // An address with a label is listed under the label.
    let name = name.map(|name| name.split(':').next().unwrap_or_default().to_owned());
    let link = name.and_then(|name| links.by_name(&name));
    let link =
        link.ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "no interface has its address"))?;
    Ok((link.index, link.name.clone()))
}

/// Returns a discriminator that nobody can guess, and that a daemon started later does not repeat, with the session's place
/// in its low octet.
fn discriminator(id: SessionId) -> u32 {
    let mut octets = [0; 4];
    // SAFETY: the buffer is as long as said and outlives the call; where it fails, the clock is left.
    let got = unsafe { libc::getrandom(octets.as_mut_ptr().cast(), octets.len(), 0) };
    let random = match got {
        4 => u32::from_ne_bytes(octets),
        _ => super::clock::now().as_nanos() as u32,
    };
    (random & !(MAX_BFD_SESSIONS - 1)) | id.index()
}
