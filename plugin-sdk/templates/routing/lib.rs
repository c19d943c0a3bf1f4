//! Who answers: the longest idle. Who answered this visitor last time counts as idle a while longer.

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Candidate, Input, Ranking};
use serde::Deserialize;

/// What the operator sets; every server holds it against `config.schema.json` first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How much longer who answered last time counts as idle, ms.
    pub returning: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { returning: 60_000.0 }
    }
}

pub struct Policy(Config);

impl Routing for Policy {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let bonus = |one: &Candidate| if one.returning { self.0.returning } else { 0.0 };
        let score = |one: &Candidate| one.idle_ms as f64 + bonus(one);
        let scores = input.candidates.iter().map(score).collect();
        Ok(Some(Ranking { scores, factor_names: vec![], factors: vec![] }))
    }
}

kefu_plugin_sdk::export_routing!(Policy, schema: "../config.schema.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_known_comes_before_who_is_idle() {
        let one = |agent, idle_ms, returning| Candidate {
            agent,
            active: 0,
            capacity: 5,
            quality: 0.5,
            idle_ms,
            returning,
        };
        let input = Input {
            now: 0,
            seed: 0,
            conversation: 1,
            site: 1,
            team: 1,
            waited_ms: 0,
            priority: 0,
            needs: vec![],
            candidates: vec![one(1, 9_000, false), one(2, 4_000, true)],
            levels: vec![],
            attrs: vec![],
        };
        let policy = Policy::configure(Config { returning: 6_000.0 }).unwrap();
        assert_eq!(policy.rank(&input).unwrap().unwrap().scores, [9_000.0, 10_000.0]);
    }
}
