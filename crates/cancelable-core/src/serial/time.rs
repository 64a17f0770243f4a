//! A moment as RFC 3339 in UTC, to the nanosecond: `2026-01-31T08:05:00.000000000Z`.

use std::time::SystemTime;

use humantime::{format_rfc3339_nanos, parse_rfc3339};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

pub(crate) fn serialize<S: Serializer>(
    time: &SystemTime,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    write(*time)?.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SystemTime, D::Error> {
    read(&String::deserialize(deserializer)?)
}

fn write<E: ser::Error>(time: SystemTime) -> Result<String, E> {
    let is_writable = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .is_ok_and(|since| since.as_secs() < YEAR_10_000);
    if is_writable {
        Ok(format_rfc3339_nanos(time).to_string())
    } else {
        Err(E::custom(
            "a time before 1970 or after 9999 cannot be written; set the machine's clock",
        ))
    }
}

fn read<E: de::Error>(text: &str) -> Result<SystemTime, E> {
    parse_rfc3339(text).map_err(|error| {
        E::custom(format_args!(
            "invalid time {text:?}: {error}; give one in UTC like 2026-01-31T08:05:00Z"
        ))
    })
}

/// The same where there may be none.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serializer, SystemTime, read, write};

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&write::<S::Error>(*time)?),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| read(&text))
            .transpose()
    }
}

/// Its first second, since 1970.
const YEAR_10_000: u64 = 253_402_300_800;
