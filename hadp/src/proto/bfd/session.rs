//! One session's state machine.

use std::time::Duration;

use hadp_common::wire::bfd::{Control, DEMAND};

use super::{
    Action, Config, Diag, Event, Received, SessionState, Transmission,
    damping::Damping,
    hearing::Hearing,
    pace::{Pace, Timing},
};
use crate::units::Time;

/// A BFD session (RFC 5880 §6.8) in asynchronous mode, without echo.
///
/// ```text
///                      +-----------+  AdminDown (local)
///        AdminUp  +----| AdminDown |<--- from anywhere
///                 v    +-----------+
///              +------+   Down heard    +------+
///     silence, | Down |---------------->| Init |--+ Down heard
///     PathDown |      |<----------------|      |<-+
///          +-->|      | silence,        +------+
///          |   +------+ AdminDown heard     | Init or Up heard
///          |      |  Init heard             v
///          |      +-------------------->+------+
///          +----------------------------|  Up  | Init or Up heard: stays
///            silence, PathDown,         +------+
///            Down or AdminDown heard
/// ```
///
/// The time it is told must not go backwards. When a deadline is due, the shell first tells it what
/// [`reading`](Self::reading) makes of the datapath's record, then [`Event::Timeout`].
///
/// A neighbour in demand mode is respected: while both are Up it is sent nothing but polls (§6.6). This end never uses
/// it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Session {
    pub(super) config: Config,
    pub(super) discriminator: u32,
    pub(super) running: bool,
    pub(super) state: SessionState,
    pub(super) diag: Diag,
    pub(super) since: Time,
    pub(super) hearing: Hearing,
    pub(super) pace: Pace,
    /// When to look whether the neighbour was heard, and to draw the conclusions if it was not.
    pub(super) watch: Option<Time>,
    pub(super) urgent: Option<Urgent>,
    pub(super) damping: Damping,
    /// Whether the last fall from Up means that the neighbour's routers are gone.
    pub(super) gone: bool,
    /// Whether the last fall from Up means that the neighbour does not hear this node any more.
    pub(super) unheard: bool,
    pub(super) farewell: Option<Time>,
    pub(super) counts: Counts,
    /// The last [`Action::Transmit`].
    pub(super) told: Option<Transmission>,
}

/// How often a session came up and went down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Counts {
    /// Times it went Up.
    pub ups: u64,
    /// Times it left Up.
    pub downs: u64,
}

/// The old interval is kept for some packets after a fall, so that the neighbour hears of it.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Urgent {
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub(super) every: Duration,
    pub(super) until: Time,
}

/// What is to be sent at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reply {
    /// Nothing, unless the state changed.
    None,
    /// A Final.
    Final,
}

impl Session {
    /// Builds a session in Down, which sends and hears nothing before [`Event::Start`]; `discriminator` is not 0 and
    /// unique on this node.
    pub fn new(config: Config, discriminator: u32, now: Time) -> Self {
        Self {
            pace: Pace::new(Timing::slow(&config)),
            config,
            discriminator,
            running: false,
            state: SessionState::Down,
            diag: Diag::None,
            since: now,
            hearing: Hearing::default(),
            watch: None,
            urgent: None,
            damping: Damping::default(),
            gone: false,
            unheard: false,
            farewell: None,
            counts: Counts::default(),
            told: None,
        }
    }

    /// Applies one event and appends the actions it orders, to be carried out in that order.
    ///
    /// Reads no clock and never blocks: `now` is the only time it knows. An [`Event::Timeout`] before
    /// [`Self::next_deadline`] is a no-op, so a spurious wake-up is harmless.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Action>) {
        let before = self.spoken();
        let reply = match event {
            Event::Start => self.start(now),
            Event::Packet(received) => self.receive(now, received, out),
            Event::Alive { at } => self.alive(now, at, out),
            Event::AdminDown => self.admin_down(now, out),
            Event::AdminUp => self.admin_up(now, out),
            Event::PathDown => self.path_down(now, out),
            Event::Timeout => self.timeout(now, out),
        };
        self.publish(now, before, reply, out);
    }

    /// Takes over a changed configuration; while Up, by a Poll Sequence, so that the session stays Up (RFC 5880 §6.8.3).
    pub fn reconfigure(&mut self, now: Time, config: Config, out: &mut Vec<Action>) {
        let before = self.spoken();
        self.config = config;
        match self.state {
            SessionState::Up => self.pace.change(Timing::fast(&self.config)),
            SessionState::AdminDown | SessionState::Down | SessionState::Init => {
                self.pace = Pace::new(Timing::slow(&self.config));
            }
        }
        self.rewatch(now);
        self.publish(now, before, Reply::None, out);
    }

    /// Returns when [`Event::Timeout`] is due; after one handled then, it is later or `None`.
    pub fn next_deadline(&self) -> Option<Time> {
        let urgent = self.urgent.map(|urgent| urgent.until);
        [self.watch, urgent, self.damping.released_at()].into_iter().flatten().min()
    }

    /// Returns the event that the neighbour's last packet, read from `BFD_SESSIONS` when a deadline is due, stands for;
    /// `None` if it is nothing new.
    ///
    /// A packet that differs from the last one told is one whose own event is still under way, or was lost.
    pub fn reading(&self, received: Received) -> Option<Event> {
        self.hearing.reading(received)
    }

    /// Tells whether an event that ordered nothing and left the session like this did no more than to move its deadline, so
    /// that of any number of them in a row the latest [`Event::Alive`] leaves it as all of them do.
    ///
    /// While it is Up, and stays so, nothing depends on `now`: the deadline is the last arrival and the detection time.
    pub fn is_kept_up_by(&self, event: &Event) -> bool {
        match event {
            Event::Alive { .. } | Event::Timeout => self.state == SessionState::Up,
            Event::Start | Event::Packet(_) | Event::AdminDown | Event::AdminUp | Event::PathDown => false,
        }
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the local discriminator.
    pub fn discriminator(&self) -> u32 {
        self.discriminator
    }

    /// Returns the state.
    pub fn state(&self) -> SessionState {
        self.state
    }

    /// Returns why the session is not Up, as its packets say.
    pub fn diag(&self) -> Diag {
        self.diag
    }

    /// Returns since when it has been in this state.
    pub fn since(&self) -> Time {
        self.since
    }

    /// Returns how often it came up and went down.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns what the neighbour last said; `None` before it was heard, and after it was silent for a detection time.
    pub fn remote(&self) -> Option<Remote> {
        self.hearing.known().map(Remote::from)
    }

    /// Returns when the neighbour was last heard.
    pub fn last_heard(&self) -> Option<Time> {
        self.hearing.at()
    }

    /// Returns after how much silence the neighbour is given up (RFC 5880 §6.8.4); `None` while none is known.
    pub fn detection_time(&self) -> Option<Duration> {
        let remote = self.hearing.known()?;
        let micros = remote.desired_min_tx_us.max(self.pace.in_force().rx_us);
        Some(Duration::from_micros(u64::from(micros)) * u32::from(remote.multiplier.max(1)))
    }

    /// Returns what is being sent.
    pub fn transmission(&self) -> Option<&Transmission> {
        self.told.as_ref()
    }

    /// Tells whether the session flapped and is not to be counted on, even while it is Up.
    pub fn is_damped(&self, now: Time) -> bool {
        self.damping.is_damped(now)
    }

    /// Tells whether what tracks the session is to take it for up: it is Up and not damped.
    ///
    /// A session that was never Up is not, as in keepalived, whose routers are in FAULT until their `track_bfd` is up.
    pub fn is_usable(&self, now: Time) -> bool {
        self.state == SessionState::Up && !self.is_damped(now)
    }

    /// Tells whether the last fall from Up means that the neighbour's routers are gone: it fell silent and the session
    /// was to be counted on, or it announced AdminDown.
    pub fn neighbor_is_gone(&self) -> bool {
        self.gone
    }

    /// Tells whether the neighbour is [gone](Self::neighbor_is_gone) and no packet of its has come since.
    pub fn is_deserted(&self) -> bool {
        self.gone && self.state == SessionState::Down && self.last_heard() <= Some(self.since)
    }

    /// Tells whether the last fall from Up means that the neighbour has given this node up: it is alive and says that it
    /// heard nothing for its detection time, and the session was to be counted on.
    ///
    /// The neighbour says so in its next packet, with Diag Control Detection Time Expired. One that starts anew, is taken
    /// down, or answers a Down of this end's has given up nothing.
    pub fn is_unheard(&self) -> bool {
        self.unheard
    }

    /// In AdminDown: returns until when to go on sending, so that the neighbour hears of it (RFC 5880 §6.8.16).
    pub fn farewell_until(&self) -> Option<Time> {
        self.farewell
    }
}

/// What the neighbour says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remote {
    /// Its state.
    pub state: SessionState,
    /// Its diagnostic.
    pub diag: u8,
    /// Its discriminator.
    pub discriminator: u32,
    /// How often it would send, at most.
    pub desired_min_tx: Duration,
    /// How often it wants to hear, at most; zero for never.
    pub required_min_rx: Duration,
    /// Its Detect Mult.
    pub multiplier: u8,
    /// Whether it is in demand mode.
    pub demand: bool,
}

impl From<&Control> for Remote {
    fn from(control: &Control) -> Self {
        Self {
            state: control.state,
            diag: control.diag,
            discriminator: control.my_discriminator,
            desired_min_tx: Duration::from_micros(control.desired_min_tx_us.into()),
            required_min_rx: Duration::from_micros(control.required_min_rx_us.into()),
            multiplier: control.multiplier,
            demand: control.flags & DEMAND != 0,
        }
    }
}
