//! An outage: a part of the installation that does not do its work, for long enough to be told of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::Millis;

/// What a node stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Redis: nothing is acknowledged, clients keep and repeat.
    Stream,
    /// The rows: open conversations go on, new ones and sign-ins are refused.
    Storage,
    /// Kafka: events go to the spool, readers of the topic are behind.
    Journal,
    /// The spool is full: events wait in the stream.
    Spool,
    /// SQL answers and is far behind the stream.
    Archive,
}

impl Part {
    /// All there are, the gravest first.
    pub const ALL: [Self; 5] =
        [Self::Stream, Self::Storage, Self::Journal, Self::Spool, Self::Archive];

    /// As on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Storage => "storage",
            Self::Journal => "journal",
            Self::Spool => "spool",
            Self::Archive => "archive",
        }
    }
}

/// One that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// What.
    pub part: Part,
    /// Since when, as this node saw it.
    pub since: Millis,
    /// Bytes that wait in this node's spool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How far SQL is behind the stream, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_ms: Option<u64>,
}

/// When one part counts as out, and when not any more. Pure.
///
/// ```text
///   fine ──bad──▶ doubt ──bad for AFTER_MS──▶ out
///    ▲  ◀──good──┘                             │
///    └──────────── good for AFTER_MS ──────────┘
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Out since.
    out: Option<Millis>,
    /// Since when the looks have said otherwise.
    otherwise: Option<Millis>,
}

/// A broker's change of leader, a restart of a server in order: nobody has to be told.
const AFTER_MS: Millis = 3000;

impl Doubt {
    /// Takes in one look.
    #[must_use]
    pub fn look(self, good: bool, now: Millis) -> Self {
        if good == self.out.is_none() {
            return Self { otherwise: None, ..self };
        }
        let since = self.otherwise.unwrap_or(now);
        if now.saturating_sub(since) < AFTER_MS {
            return Self { otherwise: Some(since), ..self };
        }
        Self { out: (!good).then_some(since), otherwise: None }
    }

    /// Since when it is out.
    #[must_use]
    pub fn out(self) -> Option<Millis> {
        self.out
    }
}

#[cfg(test)]
mod tests;
