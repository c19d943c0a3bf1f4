//! The shipped routing policy: a weighted sum of skill, free capacity and quality.
//!
//! `score = skill · s + load · (1 − active / capacity) + quality · q`, each factor in 0–1. Skill is the mean, over the
//! conversation's needs, of `min(level / level wished, 1)`, and 1 when it needs nothing. Ties are not decided here: the
//! host takes the candidate that has been idle longest, then the smaller agent number.

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Candidate, Input, Need, Ranking};
use serde::Deserialize;

/// The operator's document: `config.schema.json` beside this crate describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Weight of matching skills.
    pub skill: f64,
    /// Weight of free capacity.
    pub load: f64,
    /// Weight of past quality.
    pub quality: f64,
    /// Added when the candidate answered this visitor last time.
    pub returning: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { skill: 0.3, load: 0.4, quality: 0.3, returning: 0.0 }
    }
}

/// The policy.
#[derive(Debug)]
pub struct WeightedRouter {
    weights: Config,
}

impl Routing for WeightedRouter {
    type Config = Config;

    fn configure(weights: Config) -> Result<Self, String> {
        let named = [
            ("skill", weights.skill),
            ("load", weights.load),
            ("quality", weights.quality),
            ("returning", weights.returning),
        ];
        for (name, weight) in named {
            if !(0.0..=1.0).contains(&weight) {
                return Err(format!("{name}: must be 0 to 1, is {weight}"));
            }
        }
        let sum = weights.skill + weights.load + weights.quality;
        if (sum - 1.0).abs() > 1e-6 {
            return Err(format!("skill + load + quality must be 1, is {sum}"));
        }
        Ok(Self { weights })
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let wide = input.needs.len();
        if input.levels.len() != wide * input.candidates.len() {
            return Err("levels must be candidates x needs".into());
        }
        let mut names = vec!["skill".to_owned(), "load".to_owned(), "quality".to_owned()];
        let returning = self.weights.returning > 0.0;
        if returning {
            names.push("returning".to_owned());
        }
        let mut scores = Vec::with_capacity(input.candidates.len());
        let mut factors = Vec::with_capacity(input.candidates.len() * names.len());
        for (row, candidate) in input.candidates.iter().enumerate() {
            let levels = &input.levels[row * wide..(row + 1) * wide];
            let (skill, load) = (skill_match(&input.needs, levels), free_capacity(candidate));
            let quality = candidate.quality.clamp(0.0, 1.0);
            let known = f64::from(u8::from(candidate.returning));
            scores.push(
                self.weights.skill * skill
                    + self.weights.load * load
                    + self.weights.quality * quality
                    + self.weights.returning * known,
            );
            factors.extend([skill, load, quality]);
            if returning {
                factors.push(known);
            }
        }
        Ok(Some(Ranking { scores, factor_names: names, factors }))
    }
}

fn skill_match(needs: &[Need], levels: &[u8]) -> f64 {
    if needs.is_empty() {
        return 1.0;
    }
    let sum: f64 = needs
        .iter()
        .zip(levels)
        .map(|(need, &has)| (f64::from(has) / f64::from(need.level.max(1))).min(1.0))
        .sum();
    sum / needs.len() as f64
}

fn free_capacity(candidate: &Candidate) -> f64 {
    let used = f64::from(candidate.active) / f64::from(candidate.capacity.max(1));
    (1.0 - used).clamp(0.0, 1.0)
}

kefu_plugin_sdk::export_routing!(WeightedRouter, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
