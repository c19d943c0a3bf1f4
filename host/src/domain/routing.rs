//! Routing, the pure half: who qualifies, and in which order the policy's scores put them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conversation::{Conversation, Declined};
use super::ids::{AgentId, ConversationId, DecisionId, GenerationId, Millis, SiteId, TeamId};
use super::plugin::{Candidate, Outcome, Ranking, RoutingInput};

/// A skill a conversation needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Handed this conversation back not long ago.
    Declined,
}

/// One candidate's line in a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub input: RoutingInput,
    /// Agents that the hard rules left out, with the rule.
    pub excluded: Vec<(AgentId, String, Excluded)>,
    /// Candidates, best first.
    pub ranked: Vec<Ranked>,
    /// Names of the factors.
    pub factor_names: Vec<String>,
    /// Candidates that were passed over, in the order they were tried, and what had changed since
    /// the policy saw them.
    #[serde(default)]
    pub passed: Vec<(AgentId, Excluded)>,
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

/// A moment, and for how long a refusal counts at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Now.
    pub now: Millis,
    /// So long an agent is not offered again what it handed back, ms.
    pub declined_ms: Millis,
}

impl Moment {
    /// Until when a refusal counts, if it still does.
    fn counts(self, declined: &Declined) -> Option<Millis> {
        Some(declined.at.saturating_add(self.declined_ms)).filter(|until| *until > self.now)
    }

    /// When the next refusal of this conversation ceases to count.
    #[must_use]
    pub fn relaxes(self, row: &Conversation) -> Option<Millis> {
        row.declined.iter().filter_map(|one| self.counts(one)).min()
    }
}

/// The hard rules, in the order they are explained: the first that fails is the reason.
#[must_use]
pub fn excluded(row: &Conversation, contender: &Contender, moment: Moment) -> Option<Excluded> {
    if !contender.teams.contains(&row.team) {
        return Some(Excluded::OtherTeam);
    }
    if !contender.online {
        return Some(Excluded::NotOnline);
    }
    if !contender.present {
        return Some(Excluded::Absent);
    }
    let declined = |one: &Declined| one.agent == contender.agent && moment.counts(one).is_some();
    if row.declined.iter().any(declined) {
        return Some(Excluded::Declined);
    }
    let able = |need: &SkillNeed| contender.level(&need.skill) >= need.level;
    if !row.needs.iter().filter(|need| need.required).all(able) {
        return Some(Excluded::LacksSkill);
    }
    (contender.active >= contender.capacity).then_some(Excluded::AtCapacity)
}

impl Contender {
    /// Its level in a skill, compared without case; 0 when it lacks it.
    #[must_use]
    pub fn level(&self, skill: &str) -> u8 {
        let same = |(name, _): &&(String, u8)| {
            name.eq_ignore_ascii_case(skill)
                || (!skill.is_ascii() && name.to_lowercase() == skill.to_lowercase())
        };
        self.skills.iter().find(same).map_or(0, |(_, level)| *level)
    }
}

/// The order in which candidates are asked: score, then the longest idle, then the lowest id. Gives
/// indexes.
#[must_use]
pub fn order(candidates: &[Candidate], scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len().min(scores.len())).collect();
    order.sort_by(|&a, &b| {
        scores[b]
            .total_cmp(&scores[a])
            .then(candidates[b].idle_ms.cmp(&candidates[a].idle_ms))
            .then(candidates[a].agent.cmp(&candidates[b].agent))
    });
    order
}

/// What answers when no policy does: the least loaded, then (by [`order`]) the longest idle.
#[must_use]
pub fn least_loaded(input: &RoutingInput) -> Ranking {
    let free = |c: &Candidate| 1.0 - f64::from(c.active) / f64::from(c.capacity.max(1));
    let scores: Vec<f64> = input.candidates.iter().map(free).collect();
    Ranking { factors: scores.clone(), scores, factor_names: vec!["free".into()] }
}

#[cfg(test)]
mod tests;
