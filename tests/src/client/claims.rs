//! Lists who claims which address.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::Result;

use super::{
    Mac,
    frame::Frame,
    socket::{Hears, PacketSocket},
    worker::{Worker, lock},
};
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
pub struct Claims {
    claims: Arc<Mutex<Vec<AddressClaim>>>,
    _worker: Worker,
}

impl Claims {
    /// Starts to listen on `node`.
    ///
    /// # Errors
    ///
    /// When its link cannot be opened.
    pub fn start(node: &Node) -> Result<Self> {
        let socket = Arc::new(PacketSocket::open(node, Hears::Arp)?);
        let claims = Arc::<Mutex<Vec<AddressClaim>>>::default();
        let heard = Arc::clone(&claims);
        let mut worker = Worker::default();
        worker.listen(socket, move |at, frame| {
            if let Frame::Arp { sender: addr, mac, .. } = frame {
                lock(&heard).push(AddressClaim { at, addr, mac });
            }
        });
        Ok(Self { claims, _worker: worker })
    }

    /// Returns what this machine claimed since `start`, in the order in which it came.
    pub fn since(&self, start: Instant, mac: Mac) -> Vec<AddressClaim> {
        let claims = lock(&self.claims);
        claims.iter().filter(|claim| claim.at >= start && claim.mac == mac).copied().collect()
    }
}
