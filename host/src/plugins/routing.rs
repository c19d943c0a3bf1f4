//! The routing point: domain records to WIT and back, with every answer checked.

use super::bindings::routing as wit;
use crate::domain::plugin::{Candidate, Ranking, RoutingInput};

const MOST_FACTORS: usize = 8;
const LONGEST_NAME: usize = 64;

pub(super) fn given(input: &RoutingInput) -> wit::Input {
    wit::Input {
        now: input.now,
        seed: input.seed,
        conversation: input.conversation.get(),
        site: input.site.get(),
        team: input.team.get(),
        waited_ms: input.waited_ms,
        priority: input.priority,
        needs: input
            .needs
            .iter()
            .map(|&(skill, level, required)| wit::Need { skill, level, required })
            .collect(),
        candidates: input.candidates.iter().map(candidate).collect(),
        levels: input.levels.clone(),
        attrs: input
            .attrs
            .iter()
            .map(|(name, value)| wit::Attr { name: name.clone(), value: value.clone() })
            .collect(),
    }
}

fn candidate(one: &Candidate) -> wit::Candidate {
    wit::Candidate {
        agent: one.agent.get(),
        active: one.active,
        capacity: one.capacity,
        quality: one.quality,
        idle_ms: one.idle_ms,
        returning: one.returning,
    }
}

/// The answer, or what is wrong with it.
pub(super) fn checked(candidates: usize, got: wit::Ranking) -> Result<Ranking, String> {
    if got.scores.len() != candidates {
        return Err(format!("{} scores for {candidates} candidates", got.scores.len()));
    }
    if got.factor_names.len() > MOST_FACTORS {
        return Err(format!("{} factors, at most {MOST_FACTORS}", got.factor_names.len()));
    }
    if got.factor_names.iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(format!("a factor's name is longer than {LONGEST_NAME} bytes"));
    }
    if got.factors.len() != candidates * got.factor_names.len() {
        return Err(format!("{} factors do not fill the table", got.factors.len()));
    }
    if got.scores.iter().chain(&got.factors).any(|number| !number.is_finite()) {
        return Err("a score or factor is not a finite number".into());
    }
    Ok(Ranking { scores: got.scores, factor_names: got.factor_names, factors: got.factors })
}
