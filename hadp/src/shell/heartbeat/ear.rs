//! Hearing authenticated packets, which the datapath leaves to the daemon.

use hadp_common::wire::bfd::{Control, FINAL, POLL};

use super::order::Heard;
use crate::{
    net::bfd_receive::Datagram,
    proto::bfd::{Received, SessionId, Verifier},
    units::Time,
};

/// One authenticated session's ear.
pub(super) struct Ear {
    pub(super) id: SessionId,
    heard: Heard,
    verifier: Verifier,
    last: Option<Control>,
}

/// An authentic packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Authentic {
    /// The packet.
    pub(super) received: Received,
    /// Whether the session's state machine must be told: it changes something, polls, or answers a poll.
    pub(super) is_news: bool,
}

impl Ear {
    /// Listens for a session.
    pub(super) fn new(id: SessionId, heard: Heard) -> Self {
        Self { id, verifier: Verifier::new(heard.auth.clone(), heard.min_rx), heard, last: None }
    }

    /// Takes over where packets may now come from. The sequence numbers heard so far stay, unless the key is another one.
    pub(super) fn change(&mut self, heard: Heard) {
        if heard.auth != self.heard.auth {
            self.verifier = Verifier::new(heard.auth.clone(), heard.min_rx);
        }
        self.heard = heard;
    }

    /// Returns a datagram's packet if it is authentic and this session's (RFC 5880 §6.8.6, RFC 5881 §5).
    pub(super) fn hear(&mut self, datagram: &Datagram<'_>, now: Time) -> Option<Authentic> {
        let heard = &self.heard;
        let fits = datagram.from == heard.addr
            && datagram.multihop == heard.multihop
            && datagram.ttl >= heard.min_ttl
            && (heard.ifindex == 0 || heard.ifindex == datagram.ifindex)
            && heard.local.is_none_or(|local| datagram.to == Some(local));
        if !fits {
            return None;
        }
        let control = self.verifier.verify(now, datagram.payload).ok()?;
        if control.your_discriminator != 0 && control.your_discriminator != heard.discriminator {
            return None;
        }
        let content = Control { flags: control.flags & !(POLL | FINAL), ..control };
        let is_news = self.last.replace(content) != Some(content) || content.flags != control.flags;
        Some(Authentic { received: Received { at: now, control }, is_news })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Duration,
    };

    use hadp_common::wire::bfd::SessionState;

    use super::*;
    use crate::{model::BfdAuth, proto::bfd::Sealer};

    const NEIGHBOR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));

    fn heard(key: u8) -> Heard {
        Heard {
            addr: NEIGHBOR,
            local: None,
            ifindex: 4,
            min_ttl: 255,
            multihop: false,
            discriminator: 0x1201,
            min_rx: Duration::from_millis(1),
            auth: BfdAuth { key_id: 1, key: [key; 20], meticulous: true },
        }
    }

    fn control(state: SessionState) -> Control {
        Control {
            state,
            multiplier: 3,
            my_discriminator: 9,
            your_discriminator: 0x1201,
            desired_min_tx_us: 1000,
            required_min_rx_us: 1000,
            ..Control::default()
        }
    }

    fn datagram(payload: &[u8]) -> Datagram<'_> {
        Datagram { from: NEIGHBOR, to: None, ifindex: 4, ttl: 255, multihop: false, payload }
    }

    #[test]
    fn packets_are_heard_from_the_neighbour_with_its_key_alone_and_told_when_they_change_something() {
        let (mut ear, mut sealer) =
            (Ear::new(SessionId::new(1).unwrap(), heard(7)), Sealer::new(heard(7).auth, 5));
        let at = |index: u64| Time::from_nanos(1_000_000 * index);
        let mut hear = |state, index| {
            let packet = sealer.seal(&control(state));
            ear.hear(&datagram(&packet), at(index)).map(|authentic| authentic.is_news)
        };
        assert_eq!(hear(SessionState::Up, 1), Some(true));
        assert_eq!(hear(SessionState::Up, 2), Some(false));
        assert_eq!(hear(SessionState::Down, 3), Some(true));
        let packet = sealer.seal(&control(SessionState::Down));
        for wrong in [
            Datagram { from: IpAddr::V4(Ipv4Addr::LOCALHOST), ..datagram(&packet) },
            Datagram { ttl: 254, ..datagram(&packet) },
            Datagram { ifindex: 5, ..datagram(&packet) },
            Datagram { multihop: true, ..datagram(&packet) },
        ] {
            assert_eq!(ear.hear(&wrong, at(4)), None, "{wrong:?}");
        }
        assert!(ear.hear(&datagram(&packet), at(4)).is_some());
        assert_eq!(ear.hear(&datagram(&packet), at(5)), None, "a replay");
        let stranger = Sealer::new(heard(8).auth, 8).seal(&control(SessionState::Up));
        assert_eq!(ear.hear(&datagram(&stranger), at(6)), None, "another key");
    }
}
