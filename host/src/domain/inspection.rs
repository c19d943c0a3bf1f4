//! Inspection reports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{AgentId, ConversationId, GenerationId, Millis, Seq};

/// An inspector's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scorecard {
    /// 0–100.
    pub score: u8,
    /// The lines of the card; their points add up to the score.
    pub items: Vec<Item>,
    /// What was found, each pointing into the conversation.
    pub findings: Vec<Finding>,
}

/// One line of the card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// `greeting`, `first_response`, `gaps`, `closing`, `forbidden_words`, `unanswered`, or the
    /// plugin's own.
    pub rule: String,
    /// Points got.
    pub points: u8,
    /// Points possible.
    pub max: u8,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule it belongs to.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// The event it points to; `None` when something is missing altogether.
    pub seq: Option<Seq>,
    /// Byte range in that message's text.
    pub span: Option<(u32, u32)>,
    /// Facts for the sentence the UI writes (`{"gap_ms":"182000","limit_ms":"30000"}`).
    pub facts: Vec<(String, String)>,
}

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look.
    Info,
    /// Should be better.
    Warn,
    /// Must not happen.
    Fail,
}

/// A stored report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The conversation.
    pub conversation: ConversationId,
    /// Who answered last.
    pub agent: Option<AgentId>,
    /// When.
    pub at: Millis,
    /// By which generation; `None` when no plugin answered and no score was given.
    pub generation: Option<GenerationId>,
    /// The card.
    pub card: Scorecard,
}
