//! A length of time as a number of seconds: to the nanosecond up to a hundred days, and to a part in 10¹⁵ beyond.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    from_seconds(f64::deserialize(deserializer)?)
}

fn from_seconds<E: de::Error>(seconds: f64) -> Result<Duration, E> {
    // The longest there can be is written as a number that is a little longer.
    if seconds >= Duration::MAX.as_secs_f64() && seconds.is_finite() {
        return Ok(Duration::MAX);
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        E::custom(format_args!(
            "{seconds} is no length of time; give seconds, zero or more"
        ))
    })
}

/// The same where there may be none.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Duration, Serializer, from_seconds};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_some(&duration.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(deserializer)?
            .map(from_seconds)
            .transpose()
    }
}
