//! What a session sends, and how its states change.

use std::time::Duration;

use hadp_common::wire::bfd::{AUTHENTICATED, Control, DEMAND, FINAL, POLL};

use super::{
    Action, Diag, Session, SessionState, Transmission,
    pace::{Pace, Timing},
    session::Reply,
};
use crate::units::Time;

impl Session {
    /// Changes the state and orders that it be told.
    pub(super) fn enter(&mut self, now: Time, to: SessionState, diag: Diag, out: &mut Vec<Action>) {
        let from = self.state;
        match from {
            SessionState::Up => self.leave_up(now, to, diag),
            // It has said something since it fell.
            SessionState::AdminDown | SessionState::Down | SessionState::Init => self.gone = false,
        }
        self.state = to;
        self.diag = diag;
        self.since = now;
        self.urgent = None;
        match to {
            SessionState::Up => {
                self.counts.ups += 1;
                self.gone = false;
                self.damping.went_up(now);
                self.pace.change(Timing::fast(&self.config));
            }
            // Nobody waits for packets at the old pace, or is told in time at the new one: no poll.
            SessionState::AdminDown | SessionState::Down | SessionState::Init => {
                self.pace = Pace::new(Timing::slow(&self.config));
            }
        }
        out.push(Action::Changed { from, to, diag });
    }

    /// Orders what has to be sent after an event; `before` is what [`Self::spoken`] was.
    ///
    /// A session that flaps makes its first step up at the slow pace that RFC 5880 §6.8.3 has before a session is Up: one
    /// whose pace the machine or the link cannot keep would otherwise fall and rise a thousand times a second, and every
    /// time costs both nodes packets, events and elections.
    pub(super) fn publish(
        &mut self,
        now: Time,
        before: Option<SessionState>,
        reply: Reply,
        out: &mut Vec<Action>,
    ) {
        let spoken = self.spoken();
        let takes_its_time = self.state == SessionState::Init && self.damping.is_damped(now);
        match reply {
            Reply::Final if spoken.is_some() => out.push(Action::SendNow(self.control(FINAL))),
            Reply::None if spoken.is_some() && spoken != before && !takes_its_time => {
                out.push(Action::SendNow(self.control(self.poll())));
            }
            Reply::Final | Reply::None => {}
        }
        let transmission = self.wanted();
        if self.told != transmission {
            self.told = transmission;
            out.push(Action::Transmit(transmission));
        }
    }

    /// Returns the state that packets tell, which leaves at once when it changes; `None` while none may be sent at all
    /// (RFC 5880 §6.8.7).
    pub(super) fn spoken(&self) -> Option<SessionState> {
        let mute = self.config.passive && self.hearing.known().is_none();
        (self.running && !mute).then_some(self.state)
    }

    /// Returns what is to be sent periodically.
    fn wanted(&self) -> Option<Transmission> {
        if self.spoken().is_none() || self.remote_rx_us() == 0 || self.is_demanded() {
            return None;
        }
        let timing = self.pace.in_force();
        let every = Duration::from_micros(timing.tx_us.max(self.remote_rx_us()).into());
        Some(Transmission {
            control: self.control(self.poll()),
            every: self.urgent.map_or(every, |urgent| urgent.every.min(every)),
            detected_after: match self.state {
                SessionState::Init | SessionState::Up => Some(every * u32::from(timing.multiplier)),
                SessionState::AdminDown | SessionState::Down => None,
            },
        })
    }

    fn control(&self, flags: u8) -> Control {
        let timing = self.pace.announced();
        Control {
            diag: self.diag as u8,
            state: self.state,
            flags: if self.config.authenticated { flags | AUTHENTICATED } else { flags },
            multiplier: timing.multiplier,
            my_discriminator: self.discriminator,
            your_discriminator: self.hearing.known().map_or(0, |remote| remote.my_discriminator),
            desired_min_tx_us: timing.tx_us,
            required_min_rx_us: timing.rx_us,
            required_min_echo_rx_us: 0,
        }
    }

    fn poll(&self) -> u8 {
        if self.pace.is_polling() { POLL } else { 0 }
    }

    /// Returns bfd.RemoteMinRxInterval, 1 until known (RFC 5880 §6.8.1).
    fn remote_rx_us(&self) -> u32 {
        self.hearing.known().map_or(1, |remote| remote.required_min_rx_us)
    }

    /// Tells whether the neighbour wants no packets but polls (RFC 5880 §6.6).
    fn is_demanded(&self) -> bool {
        let demand = self
            .hearing
            .known()
            .is_some_and(|remote| remote.flags & DEMAND != 0 && remote.state == SessionState::Up);
        demand && self.state == SessionState::Up && !self.pace.is_polling()
    }

    /// Draws the conclusions from a fall, before it counts as one.
    fn leave_up(&mut self, now: Time, to: SessionState, diag: Diag) {
        self.counts.downs += 1;
        let withdrawn = self.hearing.known().is_some_and(|remote| remote.state == SessionState::AdminDown);
        self.gone = match diag {
            Diag::DetectionTimeExpired => !self.damping.is_damped(now),
            Diag::NeighborSignaledDown => withdrawn,
            Diag::None | Diag::PathDown | Diag::AdministrativelyDown => false,
        };
        let expired = |remote: &Control| {
            remote.state == SessionState::Down && remote.diag == Diag::DetectionTimeExpired as u8
        };
        self.unheard = diag == Diag::NeighborSignaledDown
            && !self.damping.is_damped(now)
            && self.hearing.is_same_neighbor()
            && self.hearing.known().is_some_and(expired);
        // A restart is no flap: the neighbour, which knows of none, counts on the session when it is back.
        let restarted = self.hearing.is_new_neighbor();
        let signaled = diag == Diag::NeighborSignaledDown && (withdrawn || restarted);
        let on_purpose = to == SessionState::AdminDown || signaled;
        if on_purpose || !self.config.flap_damping {
            self.damping.taken_down(now);
        } else {
            self.damping.fell(now);
        }
    }
}
