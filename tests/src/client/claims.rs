//! Lists who claims which address.

use std::{net::Ipv4Addr, time::Instant};

use anyhow::Result;

use super::{Mac, ear::Ear, frame::Frame, socket::Hears};
use crate::lab::Node;

/// One ARP frame whose sender address is `addr`.
#[derive(Clone, Copy, Debug)]
pub struct AddressClaim {
    /// When it came.
    pub at: Instant,
    /// The address.
    pub addr: Ipv4Addr,
    /// Where it is said to be.
    pub mac: Mac,
}

/// Listens on a machine's `eth0` until dropped.
#[derive(Debug)]
pub struct Claims(Ear<AddressClaim>);

impl Claims {
    /// Starts to listen on `node`.
    ///
    /// # Errors
    ///
    /// When its link cannot be opened.
    pub fn start(node: &Node) -> Result<Self> {
        let ear = Ear::open(node, Hears::Arp, |at, frame| match frame {
            Frame::Arp { sender: addr, mac, .. } => Some(AddressClaim { at, addr, mac }),
            Frame::EchoReply { .. } | Frame::Vrrp { .. } => None,
        })?;
        Ok(Self(ear))
    }

    /// Returns what this machine claimed since `start`, in the order in which it came.
    pub fn since(&self, start: Instant, mac: Mac) -> Vec<AddressClaim> {
        let claims = self.0.all();
        claims.iter().filter(|claim| claim.at >= start && claim.mac == mac).copied().collect()
    }
}
