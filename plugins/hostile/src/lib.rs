//! A routing plugin that misbehaves as its config says: what the host's tests install. Never shipped.
//!
//! It behaves on all inputs of the admission check (their clock stands still at one moment), so that it gets to serve.

use std::cell::Cell;

use kefu_plugin_sdk::Routing;
use kefu_plugin_sdk::routing::{Input, Ranking};
use serde::Deserialize;

/// The moment of the host's admission cases.
const ADMISSION: u64 = 1_750_000_000_000;
/// A seed at which [`Deed::Count`] traps.
const TRAP_SEED: u64 = 666;
/// What [`Deed::Hoard`] holds, bytes.
const HOARD: usize = 12 << 20;

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
    /// Overflows its stack: the one in its memory.
    Recurse,
    /// Overflows the machine's stack, which its calls are on.
    Descend,
    /// A score that is not a number.
    Nan,
    /// A score without bound.
    Infinite,
    /// A score without bound, downwards.
    NegativeInfinite,
    /// One score too many.
    Long,
    /// One score too few.
    Short,
    /// A factor too few.
    Factors,
    /// Nine factors.
    ManyFactors,
    /// A factor that is not a number.
    NanFactor,
    /// A factor with a name of a kilobyte.
    LongName,
    /// The number of calls that this instance has had, as every score; traps at one seed.
    Count,
    /// Behaves, but holds much memory from `configure` on.
    Hoard,
    /// Behaves, but takes as many steps as the conversation has waited.
    Slow,
    /// Its own error.
    Error,
    /// No opinion.
    NoOpinion,
}

/// The plugin.
#[derive(Debug)]
pub struct Hostile {
    config: Config,
    calls: Cell<u32>,
    hoard: Vec<u8>,
}

impl Routing for Hostile {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        if config.deed == Deed::LoopInConfigure {
            spin(u64::MAX);
        }
        let hoard = if config.deed == Deed::Hoard { vec![1; HOARD] } else { Vec::new() };
        Ok(Self { config, calls: Cell::new(0), hoard })
    }

    fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
        let wide = input.candidates.len();
        let mut scores: Vec<f64> = (0..wide).map(|n| -(n as f64)).collect();
        let (mut factor_names, mut factors) = (Vec::new(), Vec::new());
        self.calls.set(self.calls.get() + 1);
        let idle = input.now == ADMISSION && !self.config.always;
        match if idle { Deed::Behave } else { self.config.deed } {
            Deed::Behave | Deed::LoopInConfigure => {}
            Deed::Hoard => {
                std::hint::black_box(&self.hoard);
            }
            Deed::Slow => spin(input.waited_ms),
            Deed::Count if input.seed == TRAP_SEED => std::process::abort(),
            Deed::Count => scores.fill(f64::from(self.calls.get())),
            Deed::Reverse => scores.reverse(),
            Deed::Loop => spin(u64::MAX),
            Deed::Allocate => allocate(),
            Deed::Trap => std::process::abort(),
            Deed::Recurse => scores.push(f64::from(recurse(input.seed))),
            Deed::Descend => scores.push(descend(input.seed) as f64),
            Deed::Nan => scores.fill(f64::NAN),
            Deed::Infinite => scores.fill(f64::INFINITY),
            Deed::NegativeInfinite => scores.fill(f64::NEG_INFINITY),
            Deed::Long => scores.push(0.0),
            Deed::Short => drop(scores.pop()),
            Deed::Factors => factor_names.push("made up".into()),
            Deed::ManyFactors => {
                factor_names = vec!["made up".into(); 9];
                factors = vec![0.0; 9 * wide];
            }
            Deed::NanFactor => {
                factor_names.push("made up".into());
                factors = vec![f64::NAN; wide];
            }
            Deed::LongName => {
                factor_names.push("x".repeat(1024));
                factors = vec![0.0; wide];
            }
            Deed::Error => return Err("as told".into()),
            Deed::NoOpinion => return Ok(None),
        }
        Ok(Some(Ranking { scores, factor_names, factors }))
    }
}

fn spin(steps: u64) {
    for step in 0..steps {
        std::hint::black_box(step);
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

/// Nothing of it is in memory, and no compiler makes a loop of it: two calls, and what is made of them is in their order.
#[inline(never)]
fn descend(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    let deeper = descend(depth | (1 << (depth.count_ones() % 32)));
    descend(deeper.rotate_left(7) ^ depth).wrapping_mul(31) ^ deeper
}

kefu_plugin_sdk::export_routing!(Hostile);
