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

/// The length of a packet without authentication.
pub const BFD_LEN: usize = 24;
/// The UDP port of single-hop sessions.
pub const PORT: u16 = 3784;
/// The UDP port of multihop sessions.
pub const PORT_MULTIHOP: u16 = 4784;
/// The protocol version.
pub const VERSION: u8 = 1;

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
        match state_flags >> 6 {
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
    /// Encodes the packet; `length` is that of the packet with its authentication section.
    pub fn encode(&self, length: u8) -> [u8; BFD_LEN] {
        let mut octets = [0; BFD_LEN];
        let parts: [&[u8]; 6] = [
            &[
                (VERSION << 5) | (self.diag & 0x1f),
                ((self.state as u8) << 6) | (self.flags & 0x3f),
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
}
