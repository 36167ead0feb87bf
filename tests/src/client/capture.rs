//! Lists the advertisements that a machine hears.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{Mac, ear::Ear, frame::Frame, socket::Hears};
use crate::lab::Node;

/// How often [`Capture::wait_next`] looks: well below the shortest interval of adverts, 10 ms.
const LOOK: Duration = Duration::from_micros(200);

/// An advertisement as it was on the wire.
#[derive(Clone, Copy, Debug)]
pub struct SeenAdvert {
    /// When it came.
    pub at: Instant,
    /// The frame's source.
    pub from_mac: Mac,
    /// The datagram's source.
    pub from: Ipv4Addr,
    /// The datagram's destination: the group, or a unicast peer.
    pub to: Ipv4Addr,
    /// 2 or 3.
    pub version: u8,
    /// The virtual router.
    pub vrid: u8,
    /// The priority; 0 resigns.
    pub priority: u8,
    /// The interval as the version carries it: v2 in seconds, v3 in centiseconds.
    pub interval: u16,
}

/// Listens on a machine's `eth0` until dropped.
#[derive(Debug)]
pub struct Capture(Ear<SeenAdvert>);

impl Capture {
    /// Starts to listen on `node`.
    ///
    /// # Errors
    ///
    /// When its link cannot be opened.
    pub fn start(node: &Node) -> Result<Self> {
        let ear = Ear::open(node, Hears::Vrrp, |at, frame| match frame {
            Frame::Vrrp { from_mac, from, to, version, vrid, priority, interval } => {
                Some(SeenAdvert { at, from_mac, from, to, version, vrid, priority, interval })
            }
            Frame::Arp { .. } | Frame::EchoReply { .. } => None,
        })?;
        Ok(Self(ear))
    }

    /// Waits for the next advertisement.
    ///
    /// # Errors
    ///
    /// When none comes within `timeout`.
    pub fn wait_next(&self, timeout: Duration) -> Result<SeenAdvert> {
        let start = Instant::now();
        while start.elapsed() < timeout {
            if let Some(advert) = self.0.all().last().filter(|advert| advert.at > start) {
                return Ok(*advert);
            }
            thread::sleep(LOOK);
        }
        bail!("no advertisement within {timeout:?}")
    }

    /// Returns the advertisements so far, in the order in which they came.
    pub fn adverts(&self) -> Vec<SeenAdvert> {
        self.0.all().clone()
    }
}
