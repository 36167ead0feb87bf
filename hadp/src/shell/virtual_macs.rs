//! Frames to virtual MACs, past the filters of network cards.

use std::{collections::BTreeSet, io};

use tracing::warn;

use super::placement::Site;
use crate::{model::Router, net::packet::PacketSocket};

/// The virtual MACs that interfaces have been asked to receive to, for as long as this lives.
///
/// A card drops frames to MACs it does not know before any program sees them.
#[derive(Debug, Default)]
pub(super) struct VirtualMacs {
    socket: Option<PacketSocket>,
    known: BTreeSet<(u32, [u8; 6])>,
}

impl VirtualMacs {
    /// Makes a router's interface receive to its virtual MAC, if it has one; a refusal is logged.
    pub(super) fn receive_to(&mut self, router: &Router, site: &Site) {
        if router.virtual_mac
            && let Err(error) = self.receive(site.ifindex, site.mac)
        {
            let (router, dev) = (&router.name, &router.interface);
            warn!(router, dev, %error, "the interface may not receive frames to the virtual MAC");
        }
    }

    /// Has interfaces receive to these MACs alone.
    pub(super) fn keep(&mut self, needed: &BTreeSet<(u32, [u8; 6])>) {
        let Some(socket) = &self.socket else { return };
        for (ifindex, mac) in self.known.extract_if(.., |known| !needed.contains(known)) {
            // Where the interface is gone, so is what it was asked.
            drop(socket.ignore(ifindex, mac));
        }
    }

    /// Makes an interface receive to a MAC; once is enough for as long as the interface exists.
    ///
    /// # Errors
    ///
    /// When the interface is gone or the driver refuses.
    fn receive(&mut self, ifindex: u32, mac: [u8; 6]) -> io::Result<()> {
        if self.known.contains(&(ifindex, mac)) {
            return Ok(());
        }
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(PacketSocket::open()?),
        };
        socket.listen_to(ifindex, mac)?;
        self.known.insert((ifindex, mac));
        Ok(())
    }
}
