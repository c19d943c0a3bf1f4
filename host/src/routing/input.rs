//! What a decision is made from: contenders from storage and presence, and the policy's input after
//! the hard rules.

use std::collections::BTreeMap;

use super::{Routing, away};
use crate::domain::agent::{Agent, Status};
use crate::domain::conversation::Conversation;
use crate::domain::ids::{AgentId, TeamId};
use crate::domain::plugin::{Attrs, Candidate, RoutingInput};
use crate::domain::refusal::Refusal;
use crate::domain::routing::{Contender, Excluded, Moment, excluded};

/// Everyone who could answer, and whose turn it was last in each team, as of one look at storage and what was decided
/// since.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    pub(super) contenders: Vec<Contender>,
    pub(super) turns: BTreeMap<TeamId, AgentId>,
}

/// Contenders sorted into those the policy sees and those the hard rules left out.
pub(super) struct Sorted {
    /// The policy's input.
    pub(super) input: RoutingInput,
    /// The contender behind each candidate.
    pub(super) behind: Vec<usize>,
    /// Who is left out and why.
    pub(super) excluded: Vec<(AgentId, String, Excluded)>,
}

/// What is asked about one conversation at one moment.
pub(super) struct Question<'a> {
    pub(super) row: &'a Conversation,
    pub(super) moment: Moment,
    pub(super) seed: u64,
    /// Who answered this visitor last time.
    pub(super) last_agent: Option<AgentId>,
}

impl Routing {
    /// Looks at storage and presence: three reads, however many agents there are.
    pub(super) async fn crowd(&self) -> Result<Crowd, Refusal> {
        let agents = self.storage.agents().await.map_err(away)?;
        let loads = self.storage.loads().await.map_err(away)?;
        let turns = self.storage.turns().await.map_err(away)?.into_iter().collect();
        let load = |id| loads.iter().find(|(agent, _)| *agent == id).map_or(0, |(_, n)| *n);
        let enabled = agents.into_iter().filter(|agent| agent.enabled);
        let contenders = enabled.map(|agent| {
            let present = self.presence.is_present(agent.id);
            contender(load(agent.id), present, agent)
        });
        Ok(Crowd { contenders: contenders.collect(), turns })
    }
}

fn contender(active: u16, present: bool, agent: Agent) -> Contender {
    Contender {
        agent: agent.id,
        name: agent.name,
        teams: agent.teams,
        skills: agent.skills.into_iter().map(|s| (s.name.to_lowercase(), s.level)).collect(),
        active,
        capacity: agent.capacity,
        quality: agent.quality,
        idle_since: agent.idle_since,
        online: agent.status == Status::Online,
        present,
    }
}

/// Applies the hard rules and writes the policy's input. A skill's number is its place among the
/// conversation's needs.
pub(super) fn sort(question: &Question<'_>, crowd: &Crowd) -> Sorted {
    let Question { row, moment, seed, last_agent } = *question;
    let now = moment.now;
    let mut out = Vec::new();
    let mut behind = Vec::new();
    let mut candidates = Vec::new();
    let mut levels = Vec::new();
    for (i, contender) in crowd.contenders.iter().enumerate() {
        if let Some(rule) = excluded(row, contender, moment) {
            out.push((contender.agent, contender.name.clone(), rule));
            continue;
        }
        behind.push(i);
        candidates.push(Candidate {
            agent: contender.agent,
            active: contender.active.into(),
            capacity: contender.capacity.into(),
            quality: contender.quality,
            idle_ms: now.saturating_sub(contender.idle_since),
            returning: last_agent == Some(contender.agent),
        });
        levels.extend(row.needs.iter().map(|need| contender.level(&need.skill)));
    }
    let need = |(i, need): (usize, &crate::domain::routing::SkillNeed)| {
        (u32::try_from(i).unwrap_or(u32::MAX), need.level, need.required)
    };
    let input = RoutingInput {
        now,
        seed,
        conversation: row.id,
        site: row.site,
        team: row.team,
        waited_ms: now.saturating_sub(row.waiting_since),
        priority: row.priority,
        needs: row.needs.iter().enumerate().map(need).collect(),
        candidates,
        levels,
        attrs: attrs(row, last_agent.is_some(), crowd.turns.get(&row.team)),
    };
    Sorted { input, behind, excluded: out }
}

fn attrs(row: &Conversation, returning: bool, last: Option<&AgentId>) -> Attrs {
    let language = row.language.iter().map(|tag| ("language".to_owned(), tag.clone()));
    let fields = row.fields.iter().map(|(name, value)| (format!("field.{name}"), value.clone()));
    let returning = returning.then(|| ("returning".to_owned(), "true".to_owned()));
    let last = last.map(|agent| ("last_assigned".to_owned(), agent.to_string()));
    language.chain(fields).chain(returning).chain(last).collect()
}
