//! Identifiers: one 64-bit number per thing, never mixed up with another's.
//!
//! An id is `milliseconds since 2024-01-01 << 22 | 22 random bits`, so ids sort by creation and
//! need no coordination. They exceed 2^53, so JSON carries them as decimal strings. They are *not*
//! secrets: every access is checked.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// From a stored or received number; `None` for 0 and for numbers above `i64::MAX` (SQL
            /// integers are signed).
            #[must_use]
            pub fn new(number: u64) -> Option<Self> {
                (number <= i64::MAX as u64).then(|| NonZeroU64::new(number).map(Self))?
            }

            /// The number, for storage and for plugins.
            #[must_use]
            pub fn get(self) -> u64 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.parse().ok().and_then(Self::new).ok_or(BadId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": "^[1-9][0-9]{0,18}$" })
            }
        }
    };
}

/// Text that is not a positive decimal number of at most 63 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a positive decimal number of at most 63 bits, as a string")]
pub struct BadId;

id!(
    /// One embeddable widget.
    SiteId
);
id!(
    /// A group of agents.
    TeamId
);
id!(
    /// An account that answers, supervises or administers.
    AgentId
);
id!(
    /// A person asking.
    VisitorId
);
id!(
    /// One visitor's talk from opening to closing.
    ConversationId
);
id!(
    /// One recorded routing decision.
    DecisionId
);
id!(
    /// One immutable (code, config, budget) of a plugin.
    GenerationId
);
id!(
    /// One file sent in a conversation.
    FileId
);
id!(
    /// One participant's presence on one carrier.
    SessionId
);

/// A client's own key for a draft: sending again with the same key is the same draft. 1–64
/// printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ClientKey(Box<str>);

/// A key that is empty, too long, or not printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has 1 to 64 printable ASCII characters")]
pub struct BadKey;

impl ClientKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientKey {
    type Err = BadKey;
    fn from_str(text: &str) -> Result<Self, BadKey> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(BadKey) }
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ClientKey {
    fn schema_name() -> Cow<'static, str> {
        "ClientKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[!-~]{1,64}$" })
    }
}

/// An event's number inside its conversation: 1, 2, 3 … without holes. 0 means "before the first".
pub type Seq = u64;

/// Milliseconds since the Unix epoch, by the server's clock.
pub type Millis = u64;

#[cfg(test)]
mod tests;
