//! Measures an outage as a client of the virtual address has it.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    Mac,
    frame::{Frame, arp_request, echo_request},
    report::{Claim, Probe, Report},
    socket::{Hears, PacketSocket},
    worker::{Ends, Worker, lock},
};
use crate::lab::{Node, wait_until};

/// How long an answer may still be under way when the probes end.
const LAST_ANSWERS: Duration = Duration::from_millis(20);
/// How long to wait for the first answer to an ARP request before asking again.
const FIRST_ANSWER: Duration = Duration::from_millis(20);
/// After this time without an answer the client asks again where the address is.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Room for the probes of twenty seconds at a probe every 100 us.
const PROBES: usize = 200_000;
/// So many answers show that the address is served.
const SERVED: usize = 10;

/// Sends ICMP echo requests to an address at a fixed rate, as a client would whose neighbour cache learns from every ARP
/// frame: each probe goes to the MAC address that claimed the address last.
///
/// So a probe is answered only if a node announced itself, the switch learnt where it is, its datapath admits the
/// traffic and its kernel has the address.
#[derive(Debug)]
pub struct Prober {
    shared: Arc<Shared>,
    worker: Worker,
}

#[derive(Debug, Default)]
struct Shared {
    probes: Mutex<Vec<Probe>>,
    claims: Mutex<Vec<Claim>>,
    /// Where the address is, [`Mac::to_u64`]; 0 while unknown.
    mac: AtomicU64,
}

impl Prober {
    /// Probes `target` from `client` every `interval`.
    ///
    /// # Errors
    ///
    /// When the client's link cannot be opened.
    pub fn start(client: &Node, target: Ipv4Addr, interval: Duration) -> Result<Self> {
        let socket = PacketSocket::open(client, Hears::From(target))?;
        let (shared, mut worker) = (Arc::<Shared>::default(), Worker::default());
        // Found while the probes are sent, memory would hold them up.
        lock(&shared.probes).reserve(PROBES);
        let mut sender = Sender::new(Ends::new(client, target), socket, Arc::clone(&shared));
        worker.every(interval, move || sender.probe());
        Ok(Self { shared, worker })
    }

    /// Waits until the address answers.
    ///
    /// # Errors
    ///
    /// When it does not within `timeout`.
    pub fn wait_served(&self, timeout: Duration) -> Result<()> {
        let start = self.answers();
        wait_until("answers from the virtual address", timeout, || Ok(self.answers() >= start + SERVED))
            .map(drop)
    }

    /// Returns how many probes sent since `start` have been answered.
    pub fn answers_since(&self, start: Instant) -> usize {
        let probes = lock(&self.shared.probes);
        probes
            .iter()
            .rev()
            .take_while(|probe| probe.at >= start)
            .filter(|probe| probe.answered_by.is_some())
            .count()
    }

    fn answers(&self) -> usize {
        lock(&self.shared.probes).iter().filter(|probe| probe.answered_by.is_some()).count()
    }

    /// Ends the probes and returns what came of them.
    pub fn stop(self) -> Report {
        let end = lock(&self.shared.probes).len();
        thread::sleep(LAST_ANSWERS);
        drop(self.worker);
        let mut probes = std::mem::take(&mut *lock(&self.shared.probes));
        // What was sent meanwhile has had no time to be answered.
        probes.truncate(end);
        Report { probes, claims: std::mem::take(&mut *lock(&self.shared.claims)) }
    }
}

impl Shared {
    fn hear(&self, at: Instant, target: Ipv4Addr, frame: Frame) {
        match frame {
            Frame::Arp { sender, mac, .. } if sender == target => {
                self.mac.store(mac.to_u64(), Ordering::Relaxed);
                lock(&self.claims).push(Claim { at, mac });
            }
            Frame::EchoReply { from_mac, from, number } if from == target => {
                let mut probes = lock(&self.probes);
                let probe = usize::try_from(number).ok().and_then(|number| probes.get_mut(number));
                if let Some(probe) = probe {
                    probe.answered_by = Some(from_mac);
                    probe.answered_at = Some(at);
                }
            }
            Frame::Arp { .. } | Frame::EchoReply { .. } | Frame::Vrrp { .. } => {}
        }
    }
}

/// What the thread does.
struct Sender {
    ends: Ends,
    socket: PacketSocket,
    shared: Arc<Shared>,
    /// When it was last decided whether to send an ARP request.
    looked: Option<Instant>,
}

impl Sender {
    fn new(ends: Ends, socket: PacketSocket, shared: Arc<Shared>) -> Self {
        Self { ends, socket, shared, looked: None }
    }

    /// Hears what has come, then sends to where the address is now.
    fn probe(&mut self) {
        let Ends { mac, from, target } = self.ends;
        self.socket.drain(|at, frame| self.shared.hear(at, target, frame));
        let now = Instant::now();
        if self.should_ask(now) {
            self.socket.send(&arp_request(mac, from, target));
        }
        let to = self.shared.mac.load(Ordering::Relaxed);
        if to == 0 {
            return;
        }
        // Listed before it is sent: the answer may be back before this thread runs again.
        let number = {
            let mut probes = lock(&self.shared.probes);
            probes.push(Probe { at: now, answered_by: None, answered_at: None });
            probes.len() as u64 - 1
        };
        if let Some(frame) = echo_request(Mac::from_u64(to), mac, from, target, number) {
            self.socket.send(&frame);
        }
    }

    /// Whether it is time for an ARP request: until somebody claims the address, and after each second without an answer,
    /// as neighbour caches do.
    fn should_ask(&mut self, now: Instant) -> bool {
        let (unknown, Some(looked)) = (self.shared.mac.load(Ordering::Relaxed) == 0, self.looked) else {
            self.looked = Some(now);
            return true;
        };
        let wait = if unknown { FIRST_ANSWER } else { ASK_AGAIN };
        if now - looked < wait {
            return false;
        }
        self.looked = Some(now);
        let probes = lock(&self.shared.probes);
        unknown
            || !probes
                .iter()
                .rev()
                .take_while(|probe| probe.at >= looked)
                .any(|probe| probe.answered_by.is_some())
    }
}
