//! What packets and silence do to a session (RFC 5880 §6.8.4, §6.8.6).

use std::time::Duration;

use hadp_common::wire::bfd::{AUTHENTICATED, Control, FINAL, POLL};

use super::{
    Action, Diag, Received, Session, SessionState,
    session::{Reply, Urgent},
};
use crate::units::Time;

/// How many intervals a fall is told at the old pace.
const URGENT_PACKETS: u32 = 3;

/// How often to look for a neighbour that is forgotten: packets that equal its last one are no events.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often to look while the neighbour's last packet, if repeated, would change the state.
const LOOK_SOON: Duration = Duration::from_millis(20);

impl Session {
    /// Lets the session run. The datapath may still have a record of the neighbour from before, so that its next packet is
    /// no event: it is looked for even if it was never heard.
    pub(super) fn start(&mut self, now: Time) -> Reply {
        if !self.running {
            self.running = true;
            self.watch = Some(now + LOOK_EVERY);
        }
        Reply::None
    }

    /// Applies a packet.
    pub(super) fn receive(&mut self, now: Time, received: Received, out: &mut Vec<Action>) -> Reply {
        let received = Received { at: received.at.min(now), ..received };
        let control = received.control;
        if !self.running || !self.is_addressed(&control) || !self.hearing.note(&received) {
            return Reply::None;
        }
        if control.flags & FINAL != 0 {
            self.pace.finish();
        }
        if self.hearing.is_new_neighbor() {
            self.damping.neighbor_began_anew();
        }
        self.advance(now, control.state, out);
        self.rewatch(now);
        match self.state {
            SessionState::AdminDown => Reply::None,
            SessionState::Down | SessionState::Init | SessionState::Up if control.flags & POLL != 0 => {
                Reply::Final
            }
            SessionState::Down | SessionState::Init | SessionState::Up => Reply::None,
        }
    }

    /// Applies packets that repeated the last one.
    ///
    /// Repetition has a meaning of its own where this end's state has changed since: it counts like the packet, unless it
    /// may be from before that change.
    pub(super) fn alive(&mut self, now: Time, at: Time, out: &mut Vec<Action>) -> Reply {
        if let Some(control) = self.hearing.repeat(at.min(now)).filter(|_| self.running) {
            if at > self.since {
                self.advance(now, control.state, out);
            }
            self.rewatch(now);
        }
        Reply::None
    }

    /// Lets everything happen that is due.
    pub(super) fn timeout(&mut self, now: Time, out: &mut Vec<Action>) -> Reply {
        if self.watch.is_some_and(|at| at <= now) {
            let silent = self.silent_at().is_none_or(|at| at <= now);
            match self.state {
                SessionState::Init | SessionState::Up if silent => self.silence(now, out),
                SessionState::AdminDown | SessionState::Down if silent => self.forget(now),
                SessionState::AdminDown | SessionState::Down | SessionState::Init | SessionState::Up => {
                    self.rewatch(now);
                }
            }
        }
        if self.urgent.is_some_and(|urgent| urgent.until <= now) {
            self.urgent = None;
        }
        if self.damping.settle(now) {
            out.push(Action::Settled);
        }
        Reply::None
    }

    /// Takes the session down on purpose (RFC 5880 §6.8.16).
    pub(super) fn admin_down(&mut self, now: Time, out: &mut Vec<Action>) -> Reply {
        match self.state {
            SessionState::AdminDown => {}
            SessionState::Down | SessionState::Init | SessionState::Up => {
                let waits = self.told.and_then(|told| told.detected_after);
                self.fall(now, SessionState::AdminDown, Diag::AdministrativelyDown, out);
                self.farewell = Some(now + waits.unwrap_or_default());
            }
        }
        Reply::None
    }

    /// Lets the session come up again.
    pub(super) fn admin_up(&mut self, now: Time, out: &mut Vec<Action>) -> Reply {
        match self.state {
            SessionState::AdminDown => {
                self.farewell = None;
                self.enter(now, SessionState::Down, Diag::None, out);
            }
            SessionState::Down | SessionState::Init | SessionState::Up => {}
        }
        Reply::None
    }

    /// Takes the session down because its path is known to be.
    pub(super) fn path_down(&mut self, now: Time, out: &mut Vec<Action>) -> Reply {
        match self.state {
            SessionState::Init | SessionState::Up => {
                self.fall(now, SessionState::Down, Diag::PathDown, out);
            }
            SessionState::AdminDown | SessionState::Down => {}
        }
        Reply::None
    }

    /// Plans when to look for the neighbour next, once it was heard or the detection time has changed.
    pub(super) fn rewatch(&mut self, now: Time) {
        let Some(silent_at) = self.silent_at() else { return };
        let last = self.hearing.known().map(|remote| remote.state);
        let repeat_counts =
            self.state == SessionState::Down && matches!(last, Some(SessionState::Down | SessionState::Init));
        self.watch = Some(if repeat_counts { silent_at.min(now + LOOK_SOON) } else { silent_at });
    }

    /// Returns when the neighbour will have been silent for the detection time; `None` while none is known.
    fn silent_at(&self) -> Option<Time> {
        Some(self.hearing.at()? + self.detection_time()?)
    }

    /// Tells whether a packet is for this session: its Your Discriminator, where it has one, and its authentication.
    fn is_addressed(&self, control: &Control) -> bool {
        let known = control.your_discriminator;
        (known == 0 || known == self.discriminator)
            && (control.flags & AUTHENTICATED != 0) == self.config.authenticated
    }

    /// Lets the neighbour's state work on this end's (RFC 5880 §6.8.6).
    fn advance(&mut self, now: Time, remote: SessionState, out: &mut Vec<Action>) {
        use SessionState::{AdminDown, Down, Init, Up};
        match (self.state, remote) {
            (AdminDown, AdminDown | Down | Init | Up)
            | (Down, AdminDown | Up)
            | (Init, Down)
            | (Up, Init | Up) => {}
            (Down, Down) => self.enter(now, Init, self.diag, out),
            (Down, Init) | (Init, Init | Up) => self.enter(now, Up, Diag::None, out),
            (Init, AdminDown) | (Up, AdminDown | Down) => {
                self.enter(now, Down, Diag::NeighborSignaledDown, out);
            }
        }
    }

    /// Gives up a neighbour that was silent for the detection time.
    fn silence(&mut self, now: Time, out: &mut Vec<Action>) {
        self.fall(now, SessionState::Down, Diag::DetectionTimeExpired, out);
        match self.urgent {
            // The neighbour's discriminator is to be forgotten now (RFC 5880 §6.8.1), and a passive end is then to fall
            // silent (§6.8.7): that waits until the neighbour has been told.
            Some(urgent) => self.watch = Some(urgent.until),
            None => self.forget(now),
        }
    }

    fn forget(&mut self, now: Time) {
        self.hearing.forget();
        self.watch = Some(now + LOOK_EVERY);
    }

    /// Leaves Up or Init by this end's own decision, and tells the neighbour so several times at the pace it had.
    ///
    /// The neighbour may be alive and hear this node. If the one packet that says so were lost, and the next came at the
    /// slow pace of a session that is down, its detection time would pass first: it would take this node for dead, and
    /// take over what this node still serves, instead of learning that only its own packets get lost.
    fn fall(&mut self, now: Time, to: SessionState, diag: Diag, out: &mut Vec<Action>) {
        let told = self.told.filter(|_| self.state == SessionState::Up || self.urgent.is_some());
        self.enter(now, to, diag, out);
        self.urgent = told.map(|told| Urgent { every: told.every, until: now + told.every * URGENT_PACKETS });
    }
}
