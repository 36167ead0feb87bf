//! What a daemon leaves of each router: enough to speak for it.

use std::{net::Ipv4Addr, time::Duration};

use super::codec::{Decoder, Encoder};
use crate::net::{frames::Message, packet::Frame};

/// What is needed to keep a router Active, or to resign for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// How often its advert is sent.
    pub interval: Duration,
    /// How long after an advert was sent the lease ends.
    pub lease_span: Duration,
    /// The interface it runs on and its virtual MAC, if it has one: the interface is to receive to it all the time.
    pub virtual_mac: Option<(u32, [u8; 6])>,
    /// Its advert.
    pub advert: Speech,
    /// Its advert with priority 0.
    pub resign: Speech,
}

/// Something ready to be sent, with all that sending it takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Speech {
    /// A whole frame.
    Frame(Frame),
    /// A VRRP message to each of several hosts.
    Unicast {
        /// The address they are sent from.
        source: Ipv4Addr,
        /// Their TTL.
        ttl: u8,
        /// The messages, each with its destination.
        messages: Vec<(Ipv4Addr, Box<[u8]>)>,
    },
}

impl Speech {
    /// Takes over an outlet's message.
    pub fn new(message: &Message, source: Ipv4Addr, ttl: u8) -> Self {
        match message {
            Message::Multicast(frame) => Self::Frame(frame.clone()),
            Message::Unicast(messages) => Self::Unicast { source, ttl, messages: messages.clone() },
        }
    }

    fn encode(&self, to: &mut Encoder) {
        match self {
            Self::Frame(Frame { ifindex, octets }) => {
                to.array([0]);
                to.array(ifindex.to_ne_bytes());
                to.octets(octets);
            }
            Self::Unicast { source, ttl, messages } => {
                to.array([1]);
                to.array(source.octets());
                to.array([*ttl]);
                to.u64(messages.len() as u64);
                for (peer, message) in messages {
                    to.array(peer.octets());
                    to.octets(message);
                }
            }
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        match from.array()? {
            [0] => {
                let ifindex = u32::from_ne_bytes(from.array()?);
                Some(Self::Frame(Frame { ifindex, octets: from.octets()?.into() }))
            }
            [1] => {
                let source = from.array::<4>()?.into();
                let [ttl] = from.array()?;
                let mut messages = Vec::new();
                for _ in 0..from.u64()? {
                    messages.push((from.array::<4>()?.into(), from.octets()?.into()));
                }
                Some(Self::Unicast { source, ttl, messages })
            }
            _ => None,
        }
    }
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        to.u64(u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX));
        to.u64(u64::try_from(self.lease_span.as_nanos()).unwrap_or(u64::MAX));
        let (ifindex, mac) = self.virtual_mac.unwrap_or_default();
        to.array(ifindex.to_ne_bytes());
        to.array(mac);
        self.advert.encode(&mut to);
        self.resign.encode(&mut to);
        to.finish()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        let mut from = Decoder(octets);
        let (interval, lease_span) = (Duration::from_nanos(from.u64()?), Duration::from_nanos(from.u64()?));
        let (ifindex, mac) = (u32::from_ne_bytes(from.array()?), from.array()?);
        let virtual_mac = (ifindex != 0).then_some((ifindex, mac));
        let (advert, resign) = (Speech::decode(&mut from)?, Speech::decode(&mut from)?);
        Some(Self { interval, lease_span, virtual_mac, advert, resign })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written_or_not_at_all() {
        let frame = |last| Speech::Frame(Frame { ifindex: 7, octets: Box::new([1, 2, last]) });
        let unicast = |last| Speech::Unicast {
            source: Ipv4Addr::new(10, 77, 0, 1),
            ttl: 255,
            messages: vec![
                (Ipv4Addr::new(10, 77, 0, 2), Box::new([1, last])),
                (Ipv4Addr::new(10, 77, 0, 3), Box::new([])),
            ],
        };
        for (virtual_mac, advert, resign) in
            [(None, frame(1), frame(2)), (Some((3, [0, 0, 0x5e, 0, 1, 55])), unicast(1), unicast(2))]
        {
            let (interval, lease_span) = (Duration::from_millis(10), Duration::from_millis(30));
            let record = Record { interval, lease_span, virtual_mac, advert, resign };
            let octets = record.encode();
            assert_eq!(Record::decode(&octets), Some(record));
            assert!((0..octets.len()).all(|len| Record::decode(&octets[..len]).is_none()));
        }
    }
}
