//! Tests of the sessions: tables of transitions, timers, and sessions against each other on a virtual clock.

mod follow;
mod fsm;
mod hearing;
mod outlive;
mod pair;
mod polls;
mod quiet;
mod robust;
mod timers;
mod world;

use std::time::Duration;

use hadp_common::wire::bfd::{Control, FINAL, POLL};

use super::{
    Action, Config, Counts, Diag, Event, Received, Session, SessionId, SessionState, Sessions, Transmission,
};
use crate::units::Time;

use SessionState::{AdminDown, Down, Init, Up};

const T0: Time = Time::from_nanos(1_000_000_000_000);
/// The discriminator of the session under test.
const OWN: u32 = 0x0a0b_0c01;
/// The neighbour's.
const THEIRS: u32 = 0x99;

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config() -> Config {
    Config {
        min_tx: us(1_000),
        min_rx: us(2_000),
        idle_tx: ms(1_000),
        multiplier: 3,
        passive: false,
        authenticated: false,
        flap_damping: true,
    }
}

/// A packet of the neighbour, which is Up at once: it sends every 4 ms, takes one every 500 us, and its multiplier is 5.
fn packet(state: SessionState) -> Control {
    Control {
        diag: 0,
        state,
        flags: 0,
        multiplier: 5,
        my_discriminator: THEIRS,
        your_discriminator: OWN,
        desired_min_tx_us: 4_000,
        required_min_rx_us: 500,
        required_min_echo_rx_us: 0,
    }
}

/// Tells one event and returns the actions.
fn tell(session: &mut Session, now: Time, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    session.handle(now, event, &mut out);
    out
}

/// Tells a packet that arrives this moment.
fn hear(session: &mut Session, now: Time, control: Control) -> Vec<Action> {
    tell(session, now, Event::Packet(Received { at: now, control }))
}

/// Returns a session that was brought to this state, shortly before T0.
fn session_in(state: SessionState, config: Config) -> Session {
    let mut session = Session::new(config, OWN, T0 - ms(5));
    tell(&mut session, T0 - ms(5), Event::Start);
    match state {
        AdminDown => {
            hear(&mut session, T0 - ms(1), packet(AdminDown));
            tell(&mut session, T0 - ms(1), Event::AdminDown);
        }
        Down => {
            hear(&mut session, T0 - ms(1), packet(AdminDown));
        }
        Init => {
            hear(&mut session, T0 - ms(1), packet(Down));
        }
        Up => {
            hear(&mut session, T0 - ms(1), packet(Init));
        }
    }
    assert_eq!(session.state(), state);
    session
}

/// Returns a session that is Up with nothing left to poll for.
fn settled(config: Config) -> Session {
    let mut session = session_in(Up, config);
    hear(&mut session, T0, Control { flags: FINAL, ..packet(Up) });
    session
}

fn changed(actions: &[Action]) -> Option<(SessionState, SessionState, Diag)> {
    let mut changes = actions.iter().filter_map(|action| match action {
        Action::Changed { from, to, diag } => Some((*from, *to, *diag)),
        Action::Transmit(_) | Action::SendNow(_) | Action::Settled => None,
    });
    let change = changes.next();
    assert_eq!(changes.next(), None, "{actions:?}");
    change
}

fn sent(actions: &[Action]) -> Vec<Control> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::SendNow(control) => Some(*control),
        Action::Transmit(_) | Action::Changed { .. } | Action::Settled => None,
    });
    sent.collect()
}

fn transmission(session: &Session) -> Transmission {
    *session.transmission().unwrap()
}
