//! What a state machine is configured with.

use std::time::Duration;

use crate::{
    model::{self, Announce, LowerPriority, Preempt, Version},
    units::{Centis, Priority},
};

/// The part of a [`model::Router`] that its state machine needs.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Config {
    /// The priority adverts carry.
    pub priority: Priority,
    /// The configured advertisement interval.
    pub interval: Centis,
    /// The protocol version, which decides Skew_Time and whether intervals are learned.
    #[cfg_attr(feature = "daemon", serde(with = "super::serial::version"))]
    pub version: Version,
    /// Preempt_Mode.
    pub preempt: Preempt,
    /// How many intervals of silence precede the skew.
    pub down_timer_adverts: u8,
    /// What an Active router does on an advert of lower priority.
    pub lower_priority: LowerPriority,
    /// Whether yielding to a higher priority sends a last advert.
    pub advert_on_yield: bool,
    /// The announcement schedule.
    pub announce: Announce,
    /// How many virtual addresses there are to announce, excluded ones included.
    pub vips: usize,
    /// The pause between two announcements, as the family has it; zero for none.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub announce_interval: Duration,
}

impl From<&model::Router> for Config {
    fn from(router: &model::Router) -> Self {
        let announce_interval = match router.family {
            model::Family::V4 => router.announce.garp_interval,
            model::Family::V6 => router.announce.gna_interval,
        };
        Self {
            priority: router.priority,
            interval: router.interval,
            version: router.version,
            preempt: router.preempt,
            down_timer_adverts: router.down_timer_adverts,
            lower_priority: router.lower_priority,
            advert_on_yield: router.advert_on_yield,
            announce: router.announce.clone(),
            vips: router.vips.len() + router.excluded_vips.len(),
            announce_interval,
        }
    }
}
