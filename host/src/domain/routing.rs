//! Routing, the pure half: who qualifies, and in which order the policy's scores put them.

use serde::{Deserialize, Serialize};

use super::ids::{AgentId, ConversationId, DecisionId, GenerationId, Millis, SiteId, TeamId};
use super::plugin::Outcome;

/// A skill a conversation needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillNeed {
    /// Tag, compared without case.
    pub skill: String,
    /// Level wished, 1–5.
    pub level: u8,
    /// Without it an agent is no candidate at all; otherwise it only raises the score.
    pub required: bool,
}

/// What is known of an agent at the moment of a decision, before the hard rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// The agent.
    pub agent: AgentId,
    /// Its name, for explanations.
    pub name: String,
    /// Teams it answers for.
    pub teams: Vec<TeamId>,
    /// Its skills (lower case) and levels.
    pub skills: Vec<(String, u8)>,
    /// Conversations it has now.
    pub active: u16,
    /// Most it may have.
    pub capacity: u16,
    /// 0–1.
    pub quality: f64,
    /// Since when it has been idle.
    pub idle_since: Millis,
    /// Status is online.
    pub online: bool,
    /// Has a live session.
    pub present: bool,
}

/// Why an agent is no candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excluded {
    /// No live session.
    Absent,
    /// Status is not online.
    NotOnline,
    /// Answers for other teams.
    OtherTeam,
    /// Has as many as it may have.
    AtCapacity,
    /// Lacks a required skill or its level.
    LacksSkill,
    /// Lost or left this conversation before.
    Declined,
}

/// One candidate's line in a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// The agent.
    pub agent: AgentId,
    /// Its name at that time.
    pub name: String,
    /// The policy's score.
    pub score: f64,
    /// The policy's factors, in the order of the decision's `factor_names`.
    pub factors: Vec<f64>,
}

/// A decision, kept whole so that it can be explained and repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Format of this record.
    pub version: u32,
    /// Its id.
    pub id: DecisionId,
    /// When.
    pub at: Millis,
    /// For which conversation.
    pub conversation: ConversationId,
    /// Of which site.
    pub site: SiteId,
    /// In whose queue.
    pub team: TeamId,
    /// What the policy was given.
    pub input: super::plugin::RoutingInput,
    /// Agents that the hard rules left out, with the rule.
    pub excluded: Vec<(AgentId, String, Excluded)>,
    /// Candidates, best first.
    pub ranked: Vec<Ranked>,
    /// Names of the factors.
    pub factor_names: Vec<String>,
    /// Who got it; `None` when nobody could be claimed.
    pub chosen: Option<AgentId>,
    /// The policy that answered; `None` when the built-in fall-back did.
    pub generation: Option<GenerationId>,
    /// SHA-256 of its component, hex.
    pub digest: Option<String>,
    /// How the plugin call ended.
    pub outcome: Outcome,
    /// Fuel it used.
    pub fuel: u64,
    /// Wall time of the call in microseconds.
    pub micros: u64,
}
