//! Keyed SHA1 and Meticulous Keyed SHA1 authentication (RFC 5880 §4.4, §6.7.4).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+---------------+---------------+
//! |  Auth Type 4,5 | Auth Len 28  |  Auth Key ID  |   Reserved    |
//! |                        Sequence Number                        |
//! |     SHA1 of the whole packet with the key in this place       |
//! |                       (20 octets in all)                      |
//! +---------------------------------------------------------------+
//! ```

use std::time::Duration;

use hadp_common::wire::bfd::{AUTHENTICATED, BFD_LEN, Control, DecodeError, FINAL, POLL};
use sha1::{Digest, Sha1};

use crate::{model::BfdAuth, units::Time};

/// The length of a packet with its authentication section.
pub const AUTH_PACKET_LEN: usize = BFD_LEN + SECTION_LEN;

const SECTION_LEN: usize = 28;
/// Where the digest, and while it is computed the key, stands in the packet.
const DIGEST_AT: usize = BFD_LEN + 8;
const KEYED: u8 = 4;
const METICULOUS: u8 = 5;
/// How many Detect Mults of packets may be lost before sequence numbers are no longer accepted.
const WINDOW: u32 = 3;

/// Authenticates sent packets.
#[derive(Clone, Debug)]
pub struct Sealer {
    auth: BfdAuth,
    /// bfd.XmitAuthSeq: that of the next packet.
    sequence: u32,
    last: Option<Control>,
}

impl Sealer {
    /// Builds a sealer; the first sequence number is to be random (RFC 5880 §6.8.1).
    pub fn new(auth: BfdAuth, sequence: u32) -> Self {
        Self { auth, sequence, last: None }
    }

    /// Encodes a packet with its authentication section.
    ///
    /// The sequence number grows with every packet where the authentication is meticulous, else where the packet differs
    /// from the last one in more than Poll and Final: only then could a replay do harm.
    pub fn seal(&mut self, control: &Control) -> [u8; AUTH_PACKET_LEN] {
        let content = Control { flags: control.flags & !(POLL | FINAL), ..*control };
        if self.last.is_some_and(|last| self.auth.meticulous || last != content) {
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.last = Some(content);
        let sealed = Control { flags: control.flags | AUTHENTICATED, ..*control };
        let mut packet = [0; AUTH_PACKET_LEN];
        let header = sealed.encode(AUTH_PACKET_LEN as u8);
        let section = [kind(&self.auth), SECTION_LEN as u8, self.auth.key_id, 0];
        let parts: [&[u8]; 3] = [&header, &section, &self.sequence.to_be_bytes()];
        for (to, from) in packet.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        if let Some((signed, digest)) = packet.split_last_chunk_mut() {
            *digest = self.auth.digest(signed);
        }
        packet
    }
}

/// Verifies received packets.
#[derive(Clone, Debug)]
pub struct Verifier {
    auth: BfdAuth,
    min_rx: Duration,
    /// bfd.RcvAuthSeq: the last one accepted, and until when it counts (bfd.AuthSeqKnown).
    received: Option<(u32, Time)>,
}

impl Verifier {
    /// Builds a verifier that accepts any sequence number first; `min_rx` is the session's Required Min RX Interval.
    pub fn new(auth: BfdAuth, min_rx: Duration) -> Self {
        Self { auth, min_rx, received: None }
    }

    /// Decodes a UDP payload and verifies its authentication section.
    ///
    /// # Errors
    ///
    /// The packet is to be discarded: it is no valid packet, or not authentic, or a replay.
    pub fn verify(&mut self, now: Time, payload: &[u8]) -> Result<Control, VerifyError> {
        let (control, section) = Control::decode(payload)?;
        if control.flags & AUTHENTICATED == 0 {
            return Err(VerifyError::NotAuthenticated);
        }
        let &[kind_heard, length, key_id, _, s0, s1, s2, s3, ..] = section else {
            return Err(VerifyError::Section);
        };
        if kind_heard != kind(&self.auth) {
            return Err(VerifyError::Type(kind_heard));
        }
        if usize::from(length) != SECTION_LEN || section.len() < SECTION_LEN {
            return Err(VerifyError::Section);
        }
        if key_id != self.auth.key_id {
            return Err(VerifyError::KeyId(key_id));
        }
        let sequence = u32::from_be_bytes([s0, s1, s2, s3]);
        if !self.is_fresh(now, sequence, control.multiplier) {
            return Err(VerifyError::Sequence(sequence));
        }
        let signed = payload.get(..DIGEST_AT).ok_or(VerifyError::Section)?;
        let digest = section.get(SECTION_LEN - 20..SECTION_LEN).ok_or(VerifyError::Section)?;
        if !is_same(&self.auth.digest(signed), digest) {
            return Err(VerifyError::Digest);
        }
        let desired = Duration::from_micros(control.desired_min_tx_us.into());
        let detection_time = self.min_rx.max(desired) * u32::from(control.multiplier);
        self.received = Some((sequence, now + detection_time * 2));
        Ok(control)
    }

    /// Applies the window of sequence numbers, in the circle of 32 bits; after twice the detection time without a packet
    /// any is accepted again (RFC 5880 §6.8.1, bfd.AuthSeqKnown), or a restarted neighbour would never be.
    fn is_fresh(&self, now: Time, sequence: u32, multiplier: u8) -> bool {
        let Some((last, _)) = self.received.filter(|(_, until)| now < *until) else { return true };
        let least = u32::from(self.auth.meticulous);
        (least..=WINDOW * u32::from(multiplier)).contains(&sequence.wrapping_sub(last))
    }
}

/// Why a packet of an authenticated session is discarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is no valid packet.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It has no authentication section.
    #[error("packet is not authenticated")]
    NotAuthenticated,
    /// Its authentication section is cut short or of a wrong length.
    #[error("authentication section is malformed")]
    Section,
    /// Its authentication is of another type.
    #[error("authentication type {0} is not the configured one")]
    Type(u8),
    /// It is signed with another key.
    #[error("key {0} is not the configured one")]
    KeyId(u8),
    /// Its sequence number is outside of the window.
    #[error("sequence number {0} is outside of the window")]
    Sequence(u32),
    /// Its digest is wrong.
    #[error("digest is wrong")]
    Digest,
}

impl BfdAuth {
    /// Returns the digest of a packet whose octets before the digest are `signed`.
    fn digest(&self, signed: &[u8]) -> [u8; 20] {
        Sha1::new().chain_update(signed).chain_update(self.key).finalize().into()
    }
}

const fn kind(auth: &BfdAuth) -> u8 {
    if auth.meticulous { METICULOUS } else { KEYED }
}

/// Compares without telling by its duration where the difference is.
fn is_same(one: &[u8; 20], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests;
