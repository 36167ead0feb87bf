//! BFD control packets (RFC 5880 §4.1), in UDP (RFC 5881 §4, RFC 5883 §5).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//! |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//! +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//! |                       My Discriminator                        |
//! |                      Your Discriminator                       |
//! |            Desired Min TX Interval, microseconds              |
//! |            Required Min RX Interval, microseconds             |
//! |         Required Min Echo RX Interval, microseconds           |
//! +---------------------------------------------------------------+
//! |             authentication section, where A is set            |
//! +---------------------------------------------------------------+
//! ```

use core::fmt;

/// The length of a packet without authentication.
pub const BFD_LEN: usize = 24;
/// The smallest length of a packet with authentication (RFC 5880 §6.8.6).
pub const BFD_AUTH_MIN_LEN: usize = 26;
/// The UDP port of single-hop sessions.
pub const PORT: u16 = 3784;
/// The UDP port of multihop sessions.
pub const PORT_MULTIHOP: u16 = 4784;
/// The protocol version.
pub const VERSION: u8 = 1;

/// First octet: how far left the version stands, above the diagnostic.
pub const VERSION_SHIFT: u32 = 5;
/// First octet: the bits of the diagnostic.
pub const DIAG_MASK: u8 = 0x1f;
/// Second octet: how far left the state stands, above the flags.
pub const STATE_SHIFT: u32 = 6;
/// Second octet: the bits of the flags.
pub const FLAGS_MASK: u8 = 0x3f;

/// Second octet: Poll.
pub const POLL: u8 = 0x20;
/// Second octet: Final.
pub const FINAL: u8 = 0x10;
/// Second octet: Control Plane Independent.
pub const INDEPENDENT: u8 = 0x08;
/// Second octet: Authentication Present.
pub const AUTHENTICATED: u8 = 0x04;
/// Second octet: Demand.
pub const DEMAND: u8 = 0x02;
/// Second octet: Multipoint, always 0.
pub const MULTIPOINT: u8 = 0x01;

/// Sta: the state of a session (RFC 5880 §4.1).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[repr(u8)]
pub enum SessionState {
    /// Held down by the operator, or because what it stands for was handed over.
    AdminDown = 0,
    /// The neighbour is not heard.
    #[default]
    Down = 1,
    /// The neighbour is heard, but has not heard this node yet.
    Init = 2,
    /// Both hear each other.
    Up = 3,
}

impl SessionState {
    /// Returns the state of the two upper bits of a packet's second octet.
    pub const fn from_bits(state_flags: u8) -> Self {
        match state_flags >> STATE_SHIFT {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    /// Returns the state's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        }
    }
}

/// A control packet without its authentication section.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Control {
    /// Diag, 0..=31: why the sender's session last went down.
    pub diag: u8,
    /// The sender's state.
    pub state: SessionState,
    /// [`POLL`], [`FINAL`], [`INDEPENDENT`], [`AUTHENTICATED`], [`DEMAND`], [`MULTIPOINT`].
    pub flags: u8,
    /// Detect Mult.
    pub multiplier: u8,
    /// My Discriminator, of the sender.
    pub my_discriminator: u32,
    /// Your Discriminator, as the sender knows it; 0 if it does not.
    pub your_discriminator: u32,
    /// Desired Min TX Interval, in microseconds.
    pub desired_min_tx_us: u32,
    /// Required Min RX Interval, in microseconds.
    pub required_min_rx_us: u32,
    /// Required Min Echo RX Interval, in microseconds: always 0 here, no echo is looped back.
    pub required_min_echo_rx_us: u32,
}

impl Control {
    /// Tells whether the sender, which was Up in its packet `before`, says that it has given its neighbour up.
    pub fn gives_up(&self, before: &Self) -> bool {
        let same = |packet: &Self| (packet.my_discriminator, packet.your_discriminator);
        same(self) == same(before)
            && crate::bfd::gives_up((before.state as u8) << 6, self.diag, (self.state as u8) << 6)
    }

    /// Encodes the packet; `length` is that of the packet with its authentication section.
    pub fn encode(&self, length: u8) -> [u8; BFD_LEN] {
        let mut octets = [0; BFD_LEN];
        let parts: [&[u8]; 6] = [
            &[
                (VERSION << VERSION_SHIFT) | (self.diag & DIAG_MASK),
                ((self.state as u8) << STATE_SHIFT) | (self.flags & FLAGS_MASK),
                self.multiplier,
                length,
            ],
            &self.my_discriminator.to_be_bytes(),
            &self.your_discriminator.to_be_bytes(),
            &self.desired_min_tx_us.to_be_bytes(),
            &self.required_min_rx_us.to_be_bytes(),
            &self.required_min_echo_rx_us.to_be_bytes(),
        ];
        for (to, from) in octets.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        octets
    }

    /// Decodes a UDP payload after the checks of RFC 5880 §6.8.6 that need no session; `payload` may be longer than the
    /// packet in it. Returns the authentication section too, empty without one.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub fn decode(payload: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (words, _) = payload.as_chunks::<4>();
        let &[head, my, your, desired, required, echo, ..] = words else {
            return Err(DecodeError::Truncated { got: payload.len() });
        };
        let [version_diag, state_flags, multiplier, length] = head;
        check(head, u32::from_be_bytes(my), u32::from_be_bytes(your), payload.len())?;
        let control = Self {
            diag: version_diag & DIAG_MASK,
            state: SessionState::from_bits(state_flags),
            flags: state_flags & FLAGS_MASK,
            multiplier,
            my_discriminator: u32::from_be_bytes(my),
            your_discriminator: u32::from_be_bytes(your),
            desired_min_tx_us: u32::from_be_bytes(desired),
            required_min_rx_us: u32::from_be_bytes(required),
            required_min_echo_rx_us: u32::from_be_bytes(echo),
        };
        Ok((control, payload.get(BFD_LEN..usize::from(length)).unwrap_or_default()))
    }
}

/// Checks what RFC 5880 §6.8.6 demands of a packet whatever its session, in the order given there.
///
/// `head` is the first four octets; the discriminators may be in any byte order; `payload` is the length of the UDP
/// payload.
///
/// # Errors
///
/// The first check that fails.
#[inline(always)]
pub const fn check(head: [u8; 4], my: u32, your: u32, payload: usize) -> Result<(), DecodeError> {
    let [version_diag, state_flags, multiplier, length] = head;
    let least = if state_flags & AUTHENTICATED == 0 { BFD_LEN } else { BFD_AUTH_MIN_LEN };
    if version_diag >> VERSION_SHIFT != VERSION {
        Err(DecodeError::Version(version_diag >> VERSION_SHIFT))
    } else if (length as usize) < least {
        Err(DecodeError::Short(length))
    } else if length as usize > payload {
        Err(DecodeError::Long { length, payload })
    } else if multiplier == 0 {
        Err(DecodeError::NoMultiplier)
    } else if state_flags & MULTIPOINT != 0 {
        Err(DecodeError::Multipoint)
    } else if my == 0 {
        Err(DecodeError::NoMyDiscriminator)
    } else if your == 0
        && matches!(SessionState::from_bits(state_flags), SessionState::Init | SessionState::Up)
    {
        Err(DecodeError::NoYourDiscriminator)
    } else {
        Ok(())
    }
}

/// Why a payload is no valid packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The payload is shorter than a packet.
    Truncated {
        /// Its length.
        got: usize,
    },
    /// The version is not 1.
    Version(u8),
    /// The Length field is smaller than a packet, 24, or 26 with authentication.
    Short(u8),
    /// The Length field is greater than the payload.
    Long {
        /// The field.
        length: u8,
        /// The payload's length.
        payload: usize,
    },
    /// Detect Mult is 0.
    NoMultiplier,
    /// The Multipoint bit is set.
    Multipoint,
    /// My Discriminator is 0.
    NoMyDiscriminator,
    /// Your Discriminator is 0 although the sender's state, Init or Up, says that it has heard this node.
    NoYourDiscriminator,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { got } => write!(f, "need {BFD_LEN} octets, got {got}"),
            Self::Version(version) => write!(f, "unsupported version {version}"),
            Self::Short(length) => write!(f, "length field {length} is too small"),
            Self::Long { length, payload } => {
                write!(f, "length field {length} exceeds the payload of {payload} octets")
            }
            Self::NoMultiplier => f.write_str("detect multiplier is zero"),
            Self::Multipoint => f.write_str("multipoint bit is set"),
            Self::NoMyDiscriminator => f.write_str("my discriminator is zero"),
            Self::NoYourDiscriminator => f.write_str("your discriminator is zero in state Init or Up"),
        }
    }
}

impl core::error::Error for DecodeError {}

#[cfg(test)]
mod tests;
