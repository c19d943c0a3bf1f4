//! A visitor comes back to the agent who answered last time; everybody else, and that agent while it is too busy, is
//! ranked by free capacity.
//!
//! `score = 2 · returning + (1 − active / capacity)`: whom the visitor knows is above all others, since what is free is
//! at most 1.

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Candidate, Input, Ranking};
use serde::Deserialize;

/// The operator's document: `config.schema.json` beside this crate describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Up to this share of its capacity filled, the one who knows the visitor comes first.
    pub most_load: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { most_load: 1.0 }
    }
}

/// The policy.
#[derive(Debug)]
pub struct ReturningVisitorFirst {
    most_load: f64,
}

impl Routing for ReturningVisitorFirst {
    type Config = Config;

    fn configure(Config { most_load }: Config) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&most_load) {
            return Err(format!("most_load: must be 0 to 1, is {most_load}"));
        }
        Ok(Self { most_load })
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let mut scores = Vec::with_capacity(input.candidates.len());
        let mut factors = Vec::with_capacity(2 * input.candidates.len());
        for one in &input.candidates {
            let load = f64::from(one.active) / f64::from(one.capacity.max(1));
            let (returning, free) = (self.returning(one, load), 1.0 - load);
            scores.push(2.0 * returning + free);
            factors.extend([returning, free]);
        }
        let factor_names = vec!["returning".into(), "free".into()];
        Ok(Some(Ranking { scores, factor_names, factors }))
    }
}

impl ReturningVisitorFirst {
    fn returning(&self, one: &Candidate, load: f64) -> f64 {
        f64::from(u8::from(one.returning && load <= self.most_load))
    }
}

kefu_plugin_sdk::export_routing!(ReturningVisitorFirst, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
