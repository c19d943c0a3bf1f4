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
        let shares: Vec<Shares> = input.needs.iter().map(Shares::of).collect();
        let mut scores = Vec::with_capacity(input.candidates.len());
        let mut factors = Vec::with_capacity(input.candidates.len() * names.len());
        let mut levels = input.levels.as_slice();
        for candidate in &input.candidates {
            let (these, others) = levels.split_at(wide);
            levels = others;
            let skill = skill_match(&shares, these);
            let (load, quality) = (free_capacity(candidate), unit(candidate.quality));
            let mut score = self.weights.skill * skill
                + self.weights.load * load
                + self.weights.quality * quality;
            factors.extend([skill, load, quality]);
            if returning {
                let known = f64::from(u8::from(candidate.returning));
                score += self.weights.returning * known;
                factors.push(known);
            }
            scores.push(score);
        }
        Ok(Some(Ranking { scores, factor_names: names, factors }))
    }
}

/// What each level below the wished one is worth: few levels and many candidates, so each is divided once.
struct Shares(Vec<f64>);

impl Shares {
    fn of(need: &Need) -> Self {
        Self((0..need.level).map(|has| f64::from(has) / f64::from(need.level)).collect())
    }

    fn share(&self, has: u8) -> f64 {
        self.0.get(usize::from(has)).copied().unwrap_or(1.0)
    }
}

fn skill_match(shares: &[Shares], levels: &[u8]) -> f64 {
    let sum: f64 = shares.iter().zip(levels).map(|(need, &has)| need.share(has)).sum();
    match shares.len() {
        0 => 1.0,
        needs => sum / needs as f64,
    }
}

fn free_capacity(candidate: &Candidate) -> f64 {
    if candidate.active >= candidate.capacity {
        return 0.0;
    }
    1.0 - f64::from(candidate.active) / f64::from(candidate.capacity)
}

/// Within 0–1; what is not a number counts as 0.
fn unit(value: f64) -> f64 {
    if value >= 1.0 {
        1.0
    } else if value > 0.0 {
        value
    } else {
        0.0
    }
}

kefu_plugin_sdk::export_routing!(WeightedRouter, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
