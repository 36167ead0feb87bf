//! Sending what was left.

use std::{collections::BTreeMap, io, net::Ipv4Addr};

use super::record::Speech;
use crate::net::{
    packet::{Frame, PacketSocket},
    raw::VrrpSocket,
};

/// The companion's sockets. The one for frames is there before it is needed.
#[derive(Debug, Default)]
pub(super) struct Voice {
    frames: Option<PacketSocket>,
    unicast: BTreeMap<(Ipv4Addr, u8), VrrpSocket>,
}

impl Voice {
    /// Opens the socket for frames, unless it is open.
    pub(super) fn prepare(&mut self) -> io::Result<&PacketSocket> {
        match &mut self.frames {
            Some(socket) => Ok(socket),
            none => Ok(none.insert(PacketSocket::urgent()?)),
        }
    }

    /// Sends something, to whomever of several it reaches.
    ///
    /// # Errors
    ///
    /// When it reaches nobody.
    pub(super) fn say(&mut self, speech: &Speech) -> io::Result<()> {
        match speech {
            Speech::Frame(frame) => self.send(frame),
            Speech::Unicast { source, ttl, messages } => {
                let socket = match self.unicast.get(&(*source, *ttl)) {
                    Some(socket) => socket,
                    None => {
                        let socket = VrrpSocket::open()?;
                        socket.send_from(*source, *ttl)?;
                        self.unicast.entry((*source, *ttl)).or_insert(socket)
                    }
                };
                let mut outcome = Err(io::ErrorKind::NotConnected.into());
                for (peer, message) in messages {
                    let sent = socket.send(message, *peer);
                    if outcome.is_err() {
                        outcome = sent;
                    }
                }
                outcome
            }
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it.
    pub(super) fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.prepare()?.send([frame]).error.map_or(Ok(()), Err)
    }
}
