//! Work for the machine while it is measured: what else a busy router does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;

use crate::lab::Lan;
use hadp::net::packet::{Frame, PacketSocket};
use hadp_common::wire::ether;

/// How many frames are sent in one go, and how often.
const BURST: usize = 32;
const EVERY: Duration = Duration::from_millis(1);

/// Busy threads, one for each processor, and a stream of 32,000 frames a second through both nodes' datapaths.
#[derive(Debug)]
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts to work.
    ///
    /// # Errors
    ///
    /// When the client's link cannot be opened.
    pub(super) fn start(lan: &Lan) -> Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let (mut socket, client) = (None, lan.client());
        client.holder().in_net(|| {
            socket = Some((PacketSocket::open()?, if_nametoindex("eth0")?));
            Ok(())
        })?;
        let (socket, ifindex) = socket.context("no socket")?;
        let frames: Vec<Frame> = lan
            .nodes()
            .iter()
            .cycle()
            .take(BURST)
            .map(|node| Frame { ifindex, octets: datagram(node.mac(), client.mac()) })
            .collect();
        let mut threads = vec![spawn(&stop, move |stop| {
            while !stop.load(Ordering::Relaxed) {
                let next = Instant::now() + EVERY;
                socket.send(&frames);
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        })];
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            threads.push(spawn(&stop, |stop| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }));
        }
        Ok(Self { stop, threads })
    }
}

fn spawn(stop: &Arc<AtomicBool>, work: impl FnOnce(&AtomicBool) + Send + 'static) -> JoinHandle<()> {
    let stop = Arc::clone(stop);
    thread::spawn(move || work(&stop))
}

/// A frame of a protocol for experiments (RFC 3692), 256 octets, which the node's kernel does not answer.
fn datagram(to: [u8; 6], from: [u8; 6]) -> Box<[u8]> {
    let mut octets = ether::header(to, from, 0x88b5).to_vec();
    octets.resize(256, 0);
    octets.into_boxed_slice()
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
