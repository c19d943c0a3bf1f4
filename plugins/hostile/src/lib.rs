//! A routing plugin that misbehaves as its config says: what the host's tests install. Never shipped.
//!
//! It behaves on all inputs of the admission check (their clock stands still at one moment), so that it gets to serve.

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Input, Ranking};
use serde::Deserialize;

/// The moment of the host's admission cases.
const ADMISSION: u64 = 1_750_000_000_000;

/// What to do wrong, and from when on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The misdeed.
    pub deed: Deed,
    /// Misbehaves on admission cases too.
    #[serde(default)]
    pub always: bool,
}

/// The misdeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// None: scores the candidates by their order.
    Behave,
    /// None, the other way round.
    Reverse,
    /// Never returns.
    Loop,
    /// Never returns from `configure`.
    LoopInConfigure,
    /// Asks for memory until there is no more.
    Allocate,
    /// Traps.
    Trap,
    /// Overflows its stack.
    Recurse,
    /// A score that is not a number.
    Nan,
    /// One score too many.
    Long,
    /// A factor too few.
    Factors,
    /// Its own error.
    Error,
    /// No opinion.
    NoOpinion,
}

/// The plugin.
#[derive(Debug)]
pub struct Hostile {
    config: Config,
}

impl Routing for Hostile {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        if config.deed == Deed::LoopInConfigure {
            forever();
        }
        Ok(Self { config })
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let wide = input.candidates.len();
        let mut scores: Vec<f64> = (0..wide).map(|n| -(n as f64)).collect();
        let (mut factor_names, factors) = (Vec::new(), Vec::new());
        let idle = input.now == ADMISSION && !self.config.always;
        match if idle { Deed::Behave } else { self.config.deed } {
            Deed::Behave | Deed::LoopInConfigure => {}
            Deed::Reverse => scores.reverse(),
            Deed::Loop => forever(),
            Deed::Allocate => allocate(),
            Deed::Trap => std::process::abort(),
            Deed::Recurse => scores.push(f64::from(recurse(input.seed))),
            Deed::Nan => scores.iter_mut().for_each(|score| *score = f64::NAN),
            Deed::Long => scores.push(0.0),
            Deed::Factors => factor_names.push("made up".into()),
            Deed::Error => return Err("as told".into()),
            Deed::NoOpinion => return Ok(None),
        }
        Ok(Some(Ranking { scores, factor_names, factors }))
    }
}

fn forever() {
    let mut n = 0_u64;
    while std::hint::black_box(n) != u64::MAX {
        n = std::hint::black_box(n + 1) % 1000;
    }
}

fn allocate() {
    let mut held = Vec::new();
    loop {
        held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u32 {
    let here = std::hint::black_box([depth; 64]);
    if here[0] == u64::MAX { 0 } else { recurse(here[1].wrapping_add(1) >> 1) + here[2] as u32 }
}

kefu_plugin_sdk::export_routing!(Hostile);
