//! The version of a snapshot's written form.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Takes no room in memory: it is written always, and checked when it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(de::Error::custom(format_args!(
                "version {other} of an operation's snapshot cannot be read, only version {VERSION}; use the same \
                 version of this library on both sides"
            ))),
        }
    }
}
