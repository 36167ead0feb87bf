//! Changes of a link that happen in one system call, by netlink (rtnetlink(7)).
//!
//! A program such as `ip` does the same, but for half a millisecond after the change it goes on to end, on one of the
//! processors that the nodes need just then.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket},
};

use crate::client::hurry;

const NLM_F_REQUEST_ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
/// BR_STATE_DISABLED and BR_STATE_FORWARDING of linux/if_bridge.h.
const DISABLED: u8 = 0;
const FORWARDING: u8 = 3;
/// IFLA_BRPORT_STATE of linux/if_link.h.
const BRPORT_STATE: u16 = 1;
const HEADER: usize = 16;
/// Above all that runs on the nodes.
const URGENT: i32 = 80;

/// A change of a link that is ready to be made.
pub(super) struct Change {
    socket: File,
    message: Vec<u8>,
}

/// Prepares to have a port of a bridge in this network namespace forward frames, or take and give none.
///
/// # Errors
///
/// When there is no such port.
pub(super) fn forwarding(port: &str, forwards: bool) -> Result<Change> {
    let state = if forwards { FORWARDING } else { DISABLED };
    let state = attribute(BRPORT_STATE, &[state]);
    let nested = attribute(libc::IFLA_PROTINFO | libc::NLA_F_NESTED as u16, &state);
    let body = [&link(libc::AF_BRIDGE as u8, port, 0, 0)?[..], &nested].concat();
    Change::new(libc::RTM_SETLINK, &body)
}

/// Prepares to bring an interface in this network namespace up, or to take it down.
///
/// # Errors
///
/// When there is no such interface.
pub(super) fn up(interface: &str, up: bool) -> Result<Change> {
    let flag = libc::IFF_UP as u32;
    let body = link(libc::AF_UNSPEC as u8, interface, if up { flag } else { 0 }, flag)?;
    Change::new(libc::RTM_NEWLINK, &body)
}

/// Returns a struct ifinfomsg.
fn link(family: u8, interface: &str, flags: u32, change: u32) -> Result<Vec<u8>> {
    let index = if_nametoindex(interface).with_context(|| format!("looking for {interface}"))?;
    Ok([&[family, 0, 0, 0][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &change.to_ne_bytes()].concat())
}

/// Returns an attribute, padded to four octets.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = 4 + value.len() as u16;
    let mut octets = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

impl Change {
    fn new(kind: u16, body: &[u8]) -> Result<Self> {
        let length = (HEADER + body.len()) as u32;
        let message = [
            &length.to_ne_bytes()[..],
            &kind.to_ne_bytes(),
            &NLM_F_REQUEST_ACK.to_ne_bytes(),
            &[0; 8], // sequence and port: one request, one answer
            body,
        ]
        .concat();
        let (raw, route) = (SockType::Raw, SockProtocol::NetlinkRoute);
        let fd: OwnedFd = socket(AddressFamily::Netlink, raw, SockFlag::SOCK_CLOEXEC, route)?;
        Ok(Self { socket: fd.into(), message })
    }

    /// Makes it, and waits for what the kernel says to it.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub(super) fn make(mut self) -> Result<()> {
        self.socket.write_all(&self.message)?;
        let mut answer = [0; 1024];
        let length = self.socket.read(&mut answer)?;
        let code = answer.get(..length).and_then(|answer| answer.get(HEADER..HEADER + 4)?.first_chunk());
        match code.map(|code| i32::from_ne_bytes(*code)) {
            Some(0) => Ok(()),
            Some(code) => Err(Errno::from_raw(-code).into()),
            None => bail!("an answer of {length} octets"),
        }
    }

    /// Makes it at this time, above all else that this processor has to do: made when it is free, it would mostly come right
    /// after a packet. Returns the time before, and after.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub(super) fn make_at(self, at: Instant) -> Result<[Instant; 2]> {
        hurry(URGENT);
        thread::sleep(at.saturating_duration_since(Instant::now()));
        let before = Instant::now();
        self.make()?;
        Ok([before, Instant::now()])
    }
}
