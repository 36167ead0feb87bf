//! Asks the LAN who has an address, and counts who answers.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use hadp_common::wire::arp::ARP_REPLY;

use super::{
    Mac,
    ear::Ear,
    frame::{Frame, arp_request},
    socket::Hears,
    worker::{Ends, Worker},
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
    answers: Ear<Answer>,
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
        let answers = Ear::open(client, Hears::Replies(target), move |at, frame| match frame {
            Frame::Arp { operation: ARP_REPLY, sender, mac } if sender == target => Some(Answer { at, mac }),
            Frame::Arp { .. } | Frame::EchoReply { .. } | Frame::Vrrp { .. } => None,
        })?;
        let requests = Arc::<AtomicUsize>::default();
        let (socket, ends) = (Arc::clone(answers.socket()), Ends::new(client, target));
        let mut worker = Worker::default();
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
        self.answers.all().clone()
    }

    /// Returns who has answered since `start`.
    pub fn answering_since(&self, start: Instant) -> BTreeSet<Mac> {
        self.answers().iter().filter(|answer| answer.at >= start).map(|answer| answer.mac).collect()
    }
}
