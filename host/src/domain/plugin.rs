//! What plugins are asked and what they answer, as the host sees it. The WIT records are made from
//! these in
//! `plugins/` and only there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{AgentId, ConversationId, GenerationId, Millis, Seq, SiteId, TeamId};

/// An extension point.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Who answers.
    Routing,
    /// What may be said.
    Filter,
    /// How well it was said.
    Inspection,
}

/// Which plugins may serve, besides the shipped ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// Packages signed by a key that the operator trusts for their publisher.
    Trusted,
    /// Packages signed by any key.
    Signed,
    /// Any: unsigned packages and bare components too.
    None,
}

/// How a plugin call ended. The three ways of not answering stay distinct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered.
    Answered,
    /// It said it has no opinion: the fall-back answers, nothing is wrong.
    NoOpinion,
    /// It returned an error: the fall-back answers, counted, never quarantines.
    Error,
    /// It trapped, ran out of fuel, time or memory, or answered nonsense: the fall-back answers;
    /// repeated faults quarantine it.
    Fault,
    /// No plugin is active (none installed, or it is in quarantine): the fall-back answered.
    Absent,
}

/// An answer with where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The plugin's value; `None` unless `outcome` is `Answered`.
    pub value: Option<T>,
    /// How the call ended.
    pub outcome: Outcome,
    /// The generation asked.
    pub generation: Option<GenerationId>,
    /// SHA-256 of its component, hex.
    pub digest: Option<String>,
    /// Fuel used.
    pub fuel: u64,
    /// Wall time in microseconds.
    pub micros: u64,
    /// The plugin's or the host's words, for `Error` and `Fault`.
    pub detail: Option<String>,
}

/// Extra facts as (name, value) pairs: growing a WIT record would break old plugins, this list does
/// not.
pub type Attrs = Vec<(String, String)>;

/// What a policy is given: one conversation, all candidates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoutingInput {
    /// The server's clock.
    pub now: Millis,
    /// For policies that draw lots: the same seed gives the same decision.
    pub seed: u64,
    /// The conversation.
    pub conversation: ConversationId,
    /// Its site.
    pub site: SiteId,
    /// Its team.
    pub team: TeamId,
    /// How long it has waited, ms.
    pub waited_ms: u64,
    /// 0–9.
    pub priority: u8,
    /// Needed skills as (interned skill number, level wished, required).
    pub needs: Vec<(u32, u8, bool)>,
    /// Candidates after the hard rules.
    pub candidates: Vec<Candidate>,
    /// Level of each candidate in each needed skill, row-major `candidates × needs`, 0 = lacks it.
    pub levels: Vec<u8>,
    /// More facts: `language`, `field.<name>` (pre-chat answers), `returning` (somebody answered this visitor before),
    /// `last_assigned` (to whom routing gave the team's last conversation).
    pub attrs: Attrs,
}

/// One candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The agent.
    pub agent: AgentId,
    /// Conversations it has.
    pub active: u32,
    /// Most it may have, at least 1.
    pub capacity: u32,
    /// 0–1.
    pub quality: f64,
    /// How long it has been idle, ms.
    pub idle_ms: u64,
    /// It answered this visitor last time.
    pub returning: bool,
}

/// A policy's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// One finite score per candidate, same order; higher is better.
    pub scores: Vec<f64>,
    /// Names of the factors behind the scores, at most 8.
    pub factor_names: Vec<String>,
    /// Row-major `candidates × factor_names`.
    pub factors: Vec<f64>,
}

/// What a filter is given: one draft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilterInput {
    /// The server's clock.
    pub now: Millis,
    /// Same seed, same verdict.
    pub seed: u64,
    /// The site.
    pub site: SiteId,
    /// Said by the visitor (else by an agent).
    pub from_visitor: bool,
    /// The text.
    pub text: String,
    /// More facts (`language`).
    pub attrs: Attrs,
}

/// A filter's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The text to use instead, exactly when `action` is `Mask`.
    pub text: Option<String>,
    /// What was found.
    pub hits: Vec<Hit>,
}

/// What a filter wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Send as it is.
    Allow,
    /// Send the changed text.
    Mask,
    /// Do not send.
    Block,
}

/// What a filter found and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// `word`, `phone`, `id_card`, `bank_card`, `email`, or the plugin's own.
    pub rule: String,
    /// Byte offset in the given text.
    pub start: u32,
    /// Byte offset just past the end.
    pub end: u32,
}

/// What an inspector is given: one closed conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InspectionInput {
    /// The server's clock.
    pub now: Millis,
    /// Same seed, same report.
    pub seed: u64,
    /// The conversation.
    pub conversation: ConversationId,
    /// The site.
    pub site: SiteId,
    /// What was said and done, in order.
    pub lines: Vec<Line>,
    /// More facts (`language`, `rating`).
    pub attrs: Attrs,
}

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its number.
    pub seq: Seq,
    /// When.
    pub at: Millis,
    /// Who.
    pub by: Speaker,
    /// What the event is: `message`, `queued`, `assigned`, `transferred`, `closed` …
    pub kind: String,
    /// The text of a message, else empty.
    pub text: String,
}

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The visitor.
    Visitor,
    /// An agent.
    Agent,
    /// The server.
    System,
}

impl Point {
    /// Its word, the same everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Routing => "routing",
            Self::Filter => "filter",
            Self::Inspection => "inspection",
        }
    }
}

impl Require {
    /// Its word, as in the config.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Signed => "signed",
            Self::None => "none",
        }
    }
}
