//! Agents: accounts with a role, skills with levels, a capacity and a status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{AgentId, Millis, TeamId};
use super::people::Role;

/// What an agent says about being there. Whether it is *present* (has a live session) is kept by
/// presence.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Takes new conversations up to its capacity.
    Online,
    /// Not at the desk; keeps what it has, gets nothing new.
    Away,
    /// At the desk, gets nothing new.
    Busy,
    /// Signed off.
    Offline,
}

/// A skill an agent has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skill {
    /// Tag, 1–40 characters, compared without case.
    pub name: String,
    /// 1 (some) to 5 (expert).
    pub level: u8,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Sign-in name, unique, 2–64 of `a–z 0–9 . _ - @`.
    pub login: String,
    /// Name as visitors see it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Teams it answers for.
    pub teams: Vec<TeamId>,
    /// What it can answer.
    pub skills: Vec<Skill>,
    /// Most conversations at once, 0–100.
    pub capacity: u16,
    /// Mean inspection score of closed conversations, 0–1 (exponential mean, factor 0.1); 0.8
    /// before the first.
    pub quality: f64,
    /// What it says about being there.
    pub status: Status,
    /// When it last had no conversation or got its last one: the longest idle wins ties.
    pub idle_since: Millis,
    /// A disabled account cannot sign in and gets nothing.
    pub enabled: bool,
    /// Raised when the password or role changes; tokens of an older epoch are refused.
    pub epoch: u32,
}

impl Status {
    /// Its word, the same everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Offline => "offline",
        }
    }
}
