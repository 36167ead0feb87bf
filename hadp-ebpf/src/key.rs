//! Which virtual router an advert or a virtual MAC belongs to.

use hadp_common::{
    addr::Family,
    key::{ADVERT_KEYS_LEN, AdvertKey},
    table::{PROBES, key_index},
};

use crate::{maps::ADVERT_KEYS, settings::InForce};

/// Finds the IPv4 virtual router of this VRID on this interface.
#[inline(always)]
pub(crate) fn find(ifindex: u32, vrid: u8, settings: InForce) -> Option<&'static AdvertKey> {
    let family = Family::V4 as u8;
    let first = key_index(ifindex, family, vrid, settings.seed, ADVERT_KEYS_LEN);
    for probe in 0..PROBES {
        let key =
            ADVERT_KEYS.get(settings.half * ADVERT_KEYS_LEN + ((first + probe) & (ADVERT_KEYS_LEN - 1)))?;
        if key.ifindex == 0 {
            return None;
        }
        if key.ifindex == ifindex && key.vrid == vrid && key.family == family {
            return Some(key);
        }
    }
    None
}
