//! Spans of time as whole nanoseconds, where they leave the program as text.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, ser::Error as _};

pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let nanos = u64::try_from(span.as_nanos()).map_err(|_| S::Error::custom("a span of centuries"))?;
    nanos.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_nanos)
}

/// The same where there may be none.
pub(crate) mod option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    struct Nanos(#[serde(with = "super")] Duration);

    pub(crate) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(Nanos).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Nanos>::deserialize(deserializer)?.map(|Nanos(span)| span))
    }
}
