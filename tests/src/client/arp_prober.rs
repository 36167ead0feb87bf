//! Asks the LAN who has an address, and counts who answers.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use hadp_common::wire::arp::ARP_REPLY;

use super::{
    Mac,
    frame::{Frame, arp_request},
    socket::{Hears, PacketSocket},
    worker::{Ends, Worker, lock},
};
use crate::lab::Node;

/// One answer to an ARP request.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// When it came.
    pub at: Instant,
    /// Where it says the address is.
    pub mac: Mac,
}

/// Broadcasts ARP requests for an address at a fixed rate, until dropped.
#[derive(Debug)]
pub struct ArpProber {
    answers: Arc<Mutex<Vec<Answer>>>,
    requests: Arc<AtomicUsize>,
    _worker: Worker,
}

impl ArpProber {
    /// Asks for `target` from `client` every `interval`.
    ///
    /// # Errors
    ///
    /// When the client's link cannot be opened.
    pub fn start(client: &Node, target: Ipv4Addr, interval: Duration) -> Result<Self> {
        let socket = Arc::new(PacketSocket::open(client, Hears::Arp)?);
        let (answers, requests) = (Arc::<Mutex<Vec<Answer>>>::default(), Arc::<AtomicUsize>::default());
        let ends = Ends::new(client, target);
        let mut worker = Worker::default();
        let heard = Arc::clone(&answers);
        worker.listen(Arc::clone(&socket), move |at, frame| {
            if let Frame::Arp { operation: ARP_REPLY, sender, mac } = frame
                && sender == target
            {
                lock(&heard).push(Answer { at, mac });
            }
        });
        let asked = Arc::clone(&requests);
        worker.every(interval, move || {
            asked.fetch_add(1, Ordering::Relaxed);
            socket.send(&arp_request(ends.mac, ends.from, ends.target));
        });
        Ok(Self { answers, requests, _worker: worker })
    }

    /// Returns how many requests have been sent.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns the answers so far.
    pub fn answers(&self) -> Vec<Answer> {
        lock(&self.answers).clone()
    }

    /// Returns who has answered since `start`.
    pub fn answering_since(&self, start: Instant) -> BTreeSet<Mac> {
        self.answers().iter().filter(|answer| answer.at >= start).map(|answer| answer.mac).collect()
    }
}
