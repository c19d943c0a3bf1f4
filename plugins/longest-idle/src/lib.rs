//! Whoever has gone longest without being given a conversation, of whatever team; each score is that time as a share of
//! the longest.

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Input, Ranking};
use serde::Deserialize;

/// Nothing to choose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The policy.
#[derive(Debug)]
pub struct LongestIdle;

impl Routing for LongestIdle {
    type Config = Config;

    fn configure(Config {}: Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let longest = input.candidates.iter().map(|one| one.idle_ms).max().unwrap_or(0).max(1);
        let share = |idle_ms| idle_ms as f64 / longest as f64;
        let scores: Vec<f64> = input.candidates.iter().map(|one| share(one.idle_ms)).collect();
        Ok(Some(Ranking { factors: scores.clone(), scores, factor_names: vec!["idle".into()] }))
    }
}

kefu_plugin_sdk::export_routing!(LongestIdle, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
