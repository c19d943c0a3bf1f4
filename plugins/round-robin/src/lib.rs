//! Everyone in turn: next is who comes, by agent number, after the one who was given the team's last conversation.
//!
//! Whose turn it was comes in as the attribute `last_assigned`: a plugin keeps nothing between calls. Who cannot take one
//! now (full, away, lacks a skill) is no candidate and is passed over; the others' turns stay as they are.

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Input, Ranking};
use serde::Deserialize;

/// Nothing to choose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The policy.
#[derive(Debug)]
pub struct RoundRobin;

impl Routing for RoundRobin {
    type Config = Config;

    fn configure(Config {}: Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let last = last_assigned(input)?;
        let mut turns: Vec<usize> = (0..input.candidates.len()).collect();
        turns.sort_unstable_by_key(|&at| {
            let agent = input.candidates[at].agent;
            (agent <= last, agent)
        });
        let many = turns.len() as f64;
        let mut scores = vec![0.0; turns.len()];
        for (before, at) in turns.into_iter().enumerate() {
            scores[at] = 1.0 - before as f64 / many;
        }
        Ok(Some(Ranking { factors: scores.clone(), scores, factor_names: vec!["turn".into()] }))
    }
}

/// The number of the agent whose turn it was; 0, which is nobody's, when there was none yet.
fn last_assigned(input: &Input) -> Result<u64, String> {
    match input.attrs.iter().find(|attr| attr.name == "last_assigned") {
        None => Ok(0),
        Some(attr) => {
            attr.value.parse().map_err(|_| format!("last_assigned: `{}` is no number", attr.value))
        }
    }
}

kefu_plugin_sdk::export_routing!(RoundRobin, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
