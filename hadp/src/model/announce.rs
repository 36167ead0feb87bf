//! When and how often virtual addresses are announced (GARP, unsolicited NA).

use std::time::Duration;

/// The announcement schedule of one router, keepalived's `garp_*` keywords.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "daemon", derive(serde::Deserialize, serde::Serialize))]
pub struct Announce {
    /// `garp_master_delay`: when the second burst follows the takeover; zero for no second burst.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub delay: Duration,
    /// `garp_master_repeat`: how many rounds over all addresses a burst makes.
    pub repeat: u32,
    /// `garp_master_refresh`: how often an Active router announces again; zero for never.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`: how many rounds a refresh makes.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_delay`: when the burst follows an advert of lower priority heard while Active.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub lower_priority_delay: Duration,
    /// `garp_lower_prio_repeat`: how many rounds that burst makes; 0 for none.
    pub lower_priority_repeat: u32,
    /// `garp_interval` / `vrrp_garp_interval`: the pause between two GARPs; zero for none.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub garp_interval: Duration,
    /// `gna_interval` / `vrrp_gna_interval`: the pause between two unsolicited NAs; zero for none.
    #[cfg_attr(feature = "daemon", serde(with = "crate::units::nanos"))]
    pub gna_interval: Duration,
}

impl Default for Announce {
    /// Returns keepalived's defaults.
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(5),
            repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_priority_delay: Duration::from_secs(5),
            lower_priority_repeat: 5,
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
        }
    }
}
