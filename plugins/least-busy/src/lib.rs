//! Whoever has the fewest conversations, or, by `share`, whose capacity is filled the least. Equals are left to the host:
//! the longest idle.

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Candidate, Input, Ranking};
use serde::Deserialize;

/// The operator's document: `config.schema.json` beside this crate describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is compared.
    pub by: Measure,
}

/// How busy one is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// By the number of conversations: everybody has about as many, whatever the capacity.
    #[default]
    Conversations,
    /// By the share of the capacity: who may have twice as many has about twice as many.
    Share,
}

/// The policy.
#[derive(Debug)]
pub struct LeastBusy {
    by: Measure,
}

impl Routing for LeastBusy {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self { by: config.by })
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let (name, score): (&str, fn(&Candidate) -> f64) = match self.by {
            Measure::Conversations => ("few", |one| 1.0 / (1.0 + f64::from(one.active))),
            Measure::Share => {
                ("free", |one| 1.0 - f64::from(one.active) / f64::from(one.capacity.max(1)))
            }
        };
        let scores: Vec<f64> = input.candidates.iter().map(score).collect();
        Ok(Some(Ranking { factors: scores.clone(), scores, factor_names: vec![name.into()] }))
    }
}

kefu_plugin_sdk::export_routing!(LeastBusy, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
