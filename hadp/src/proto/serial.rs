//! How an event log has what cannot be derived.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Reason, Transition, state::Name};

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = ["Initialize", "Backup", "Active", "Resigning"].into_iter().find(|known| *known == name);
        known.map(Self).ok_or_else(|| D::Error::custom(format_args!("{name:?} is not a state")))
    }
}

impl<'de> Deserialize<'de> for Transition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            from: Name,
            to: Name,
            reason: Reason,
        }
        let Written { from: Name(from), to: Name(to), reason } = Written::deserialize(deserializer)?;
        Ok(Self { from, to, reason })
    }
}

/// A protocol version as its number: all that a state machine makes of it. The password of v2 stays out of the log.
pub(super) mod version {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::model::{Auth, ChecksumMode, Version};

    pub(in crate::proto) fn serialize<S: Serializer>(
        version: &Version,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(version.number())
    }

    pub(in crate::proto) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Version, D::Error> {
        match u8::deserialize(deserializer)? {
            2 => Ok(Version::V2(Auth::None)),
            3 => Ok(Version::V3(ChecksumMode::Message)),
            other => Err(D::Error::custom(format_args!("{other} is not a version of VRRP"))),
        }
    }
}
