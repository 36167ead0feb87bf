//! What can happen to a session, in words.

use std::{fmt, time::Duration};

use hadp_common::wire::bfd::{Control, SessionState};
use serde::Serialize;

use crate::{
    proto::bfd::{Config, Diag},
    units::nanos,
};

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words that are written for each say what it is")]
pub enum Remark {
    Joined {
        #[serde(with = "nanos")]
        min_tx: Duration,
        #[serde(with = "nanos")]
        min_rx: Duration,
        multiplier: u8,
    },
    Reconfigured {
        #[serde(with = "nanos")]
        min_tx: Duration,
        #[serde(with = "nanos")]
        min_rx: Duration,
        multiplier: u8,
    },
    Heard(Saying),
    Changed {
        from: SessionState,
        to: SessionState,
        diag: Diag,
    },
    Expired {
        from: SessionState,
        #[serde(with = "nanos")]
        silence: Duration,
    },
    Flaps,
    Settled,
    Polls,
    Agreed,
    Sends {
        #[serde(with = "nanos")]
        every: Duration,
    },
    SendsNothing,
    Quiet(Quiet),
}

/// What a neighbour says that a person wants to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Saying {
    /// Its state.
    pub state: SessionState,
    /// Its diagnostic, as on the wire.
    pub diag: u8,
    /// How often it would send, at most.
    #[serde(with = "nanos")]
    pub min_tx: Duration,
    /// How often it wants to hear, at most; zero for never.
    #[serde(with = "nanos")]
    pub min_rx: Duration,
    /// Its Detect Mult.
    pub multiplier: u8,
}

/// What went on as before since the last entry of a session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Quiet {
    /// How often the neighbour was looked for, and had been heard.
    pub readings: u64,
    /// The longest silence that was found then.
    #[serde(with = "nanos")]
    pub silence: Duration,
    /// How many packets were told that say what was said before.
    pub packets: u64,
}

impl Quiet {
    /// Takes what there is, if there is anything.
    pub(super) fn take(&mut self) -> Option<Self> {
        let taken = std::mem::take(self);
        (taken.readings > 0 || taken.packets > 0).then_some(taken)
    }

    /// Adds what went on before that.
    pub(super) fn add(&mut self, other: Self) {
        self.readings = self.readings.saturating_add(other.readings);
        self.silence = self.silence.max(other.silence);
        self.packets += other.packets;
    }
}

impl Remark {
    /// Describes a session that is made.
    pub(super) fn joined(config: &Config) -> Self {
        Self::Joined { min_tx: config.min_tx, min_rx: config.min_rx, multiplier: config.multiplier }
    }

    /// Describes a session that takes up another configuration.
    pub(super) fn reconfigured(config: &Config) -> Self {
        Self::Reconfigured { min_tx: config.min_tx, min_rx: config.min_rx, multiplier: config.multiplier }
    }
}

impl From<&Control> for Saying {
    fn from(control: &Control) -> Self {
        Self {
            state: control.state,
            diag: control.diag,
            min_tx: Duration::from_micros(control.desired_min_tx_us.into()),
            min_rx: Duration::from_micros(control.required_min_rx_us.into()),
            multiplier: control.multiplier,
        }
    }
}

impl fmt::Display for Saying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, diag, min_tx, min_rx, multiplier } = self;
        f.write_str(state.name())?;
        match diag_name(*diag) {
            _ if *diag == 0 => {}
            Some(name) => write!(f, " ({name})")?,
            None => write!(f, " (diagnostic {diag})")?,
        }
        write!(f, ", sending every {min_tx:?}, hearing every {min_rx:?}, multiplier {multiplier}")
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { min_tx, min_rx, multiplier } => {
                write!(
                    f,
                    "joins: sending every {min_tx:?}, hearing every {min_rx:?}, multiplier {multiplier}"
                )
            }
            Self::Reconfigured { min_tx, min_rx, multiplier } => {
                write!(f, "is to send every {min_tx:?}, hear every {min_rx:?}, multiplier {multiplier}")
            }
            Self::Heard(saying) => write!(f, "hears {saying}"),
            Self::Changed { from, to, diag } => {
                write!(f, "{} -> {}", from.name(), to.name())?;
                // On its way up it still says why it fell.
                let why = matches!(to, SessionState::AdminDown | SessionState::Down) && *diag != Diag::None;
                diag_name(*diag as u8).filter(|_| why).map_or(Ok(()), |name| write!(f, ": {name}"))
            }
            Self::Expired { from, silence } => {
                write!(f, "{} -> Down: Control Detection Time Expired, silent for {silence:.1?}", from.name())
            }
            Self::Flaps => f.write_str("flaps: not counted on until it has stayed up"),
            Self::Settled => f.write_str("has stayed up: counted on again"),
            Self::Polls => f.write_str("asks for another pace (Poll)"),
            Self::Agreed => f.write_str("is granted the pace it asked for (Final)"),
            Self::Sends { every } => write!(f, "sends every {every:?}"),
            Self::SendsNothing => f.write_str("sends nothing"),
            Self::Quiet(Quiet { readings: 0, packets, .. }) => write!(f, "({packets} more packets heard)"),
            Self::Quiet(Quiet { readings, silence, packets: 0 }) => {
                write!(f, "(looked for {readings} times, silent for {silence:.1?} at most)")
            }
            Self::Quiet(Quiet { readings, silence, packets }) => write!(
                f,
                "(looked for {readings} times, silent for {silence:.1?} at most; {packets} more packets heard)"
            ),
        }
    }
}

/// Names a diagnostic (RFC 5880 §4.1).
fn diag_name(diag: u8) -> Option<&'static str> {
    const NAMES: [&str; 9] = [
        "No Diagnostic",
        "Control Detection Time Expired",
        "Echo Function Failed",
        "Neighbor Signaled Session Down",
        "Forwarding Plane Reset",
        "Path Down",
        "Concatenated Path Down",
        "Administratively Down",
        "Reverse Concatenated Path Down",
    ];
    NAMES.get(usize::from(diag)).copied()
}
