//! What the calls of each generation were like: counts, and a histogram of times in powers of √2.
//!
//! A call counts for the generation it began with, also when another one serves by the time it ends, and a generation
//! that serves again counts on. Remembered are the [`KEPT`] of each point that began to serve last, since the start of
//! the process: figures are labelled by generation, and no set of labels may grow for ever.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::GenerationId;
use crate::domain::plugin::{Outcome, Point};
use crate::storage::Generation;

/// Generations of one point that are remembered.
const KEPT: usize = 32;
/// 2^(63/2) µs is about an hour: more than any deadline.
const BUCKETS: usize = 64;
/// Of the buckets, those shown: 1 µs, 4 µs, 16 µs … 1 s.
const SHOWN: [usize; 11] = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40];

/// The counts of one point.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    /// Calls while nothing served.
    absent: AtomicU64,
    /// Who began to serve last stands last.
    served: Mutex<VecDeque<Arc<Tally>>>,
}

/// The counts of one generation.
#[derive(Debug)]
pub(super) struct Tally {
    generation: GenerationId,
    number: u32,
    name: String,
    answered: AtomicU64,
    no_opinion: AtomicU64,
    errors: AtomicU64,
    faults: AtomicU64,
    fuel: AtomicU64,
    nanos: AtomicU64,
    times: [AtomicU64; BUCKETS],
}

/// How long calls took.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// Calls that took no longer than so many seconds.
    pub buckets: Vec<(f64, u64)>,
    /// All together, seconds.
    pub sum: f64,
    /// Calls.
    pub count: u64,
}

/// Counts of one point since the start of the process.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PointStats {
    /// Which point.
    #[serde(skip)]
    pub point: Point,
    /// Calls while no plugin was active.
    pub absent: u64,
    /// Of each generation that served, at most 32, who began last first.
    pub served: Vec<Served>,
}

/// Counts of one generation since the start of the process.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Served {
    /// Which generation.
    pub generation: GenerationId,
    /// Its number at its point.
    #[serde(skip)]
    pub number: u32,
    /// The plugin's name.
    #[serde(skip)]
    pub name: String,
    /// Calls that reached it.
    pub calls: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, without an opinion.
    pub no_opinion: u64,
    /// Of these, ended by the plugin's own error.
    pub errors: u64,
    /// Of these, ended by a fault.
    pub faults: u64,
    /// Fuel used by all calls.
    pub fuel: u64,
    /// Half of the calls took no longer, µs (upper bound of its bucket).
    pub p50_us: u64,
    /// 99 of 100 calls took no longer, µs (upper bound of its bucket).
    pub p99_us: u64,
    /// The histogram behind these.
    #[serde(skip)]
    pub times: Times,
}

impl Tallies {
    /// A call found nobody.
    pub(super) fn absent(&self) {
        self.absent.fetch_add(1, Ordering::Relaxed);
    }

    /// Where the calls of a generation that begins to serve are counted.
    pub(super) fn of(&self, row: &Generation) -> Arc<Tally> {
        let mut served = self.served.lock();
        let known = served.iter().position(|tally| tally.generation == row.id);
        let tally = known
            .and_then(|place| served.remove(place))
            .unwrap_or_else(|| Arc::new(Tally::new(row)));
        if served.len() == KEPT {
            served.pop_front();
        }
        served.push_back(Arc::clone(&tally));
        tally
    }

    pub(super) fn read(&self, point: Point) -> PointStats {
        let served = self.served.lock().iter().rev().map(|tally| tally.read()).collect();
        PointStats { point, absent: self.absent.load(Ordering::Relaxed), served }
    }
}

impl Tally {
    fn new(row: &Generation) -> Self {
        Self {
            generation: row.id,
            number: row.number,
            name: row.name.clone(),
            answered: AtomicU64::new(0),
            no_opinion: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            fuel: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            times: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// One call that reached the plugin.
    pub(super) fn record(&self, outcome: Outcome, took: Duration, fuel: u64) {
        let count = match outcome {
            Outcome::Answered => &self.answered,
            Outcome::NoOpinion => &self.no_opinion,
            Outcome::Error => &self.errors,
            Outcome::Fault => &self.faults,
            Outcome::Absent => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.fuel.fetch_add(fuel, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.times[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Served {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (answered, no_opinion) = (get(&self.answered), get(&self.no_opinion));
        let (errors, faults) = (get(&self.errors), get(&self.faults));
        let times = self.times.each_ref().map(get);
        let up_to = |index: usize| times[..=index].iter().sum();
        let bound = |index: usize| (index as f64 / 2.0).exp2() / 1e6;
        Served {
            generation: self.generation,
            number: self.number,
            name: self.name.clone(),
            calls: answered + no_opinion + errors + faults,
            answered,
            no_opinion,
            errors,
            faults,
            fuel: get(&self.fuel),
            p50_us: quantile(&times, 50),
            p99_us: quantile(&times, 99),
            times: Times {
                buckets: SHOWN.iter().map(|&index| (bound(index), up_to(index))).collect(),
                sum: get(&self.nanos) as f64 / 1e9,
                count: times.iter().sum(),
            },
        }
    }
}

/// Bucket `i` holds times up to `2^(i/2)` µs.
fn bucket(took: Duration) -> usize {
    let micros = took.as_nanos() as f64 / 1000.0;
    if micros <= 1.0 { 0 } else { ((micros.log2() * 2.0).ceil() as usize).min(BUCKETS - 1) }
}

fn quantile(times: &[u64; BUCKETS], percent: u64) -> u64 {
    let total: u64 = times.iter().sum();
    let rank = (total * percent).div_ceil(100).max(1);
    let mut seen = 0;
    for (index, count) in times.iter().enumerate() {
        seen += count;
        if seen >= rank {
            return (index as f64 / 2.0).exp2().ceil() as u64;
        }
    }
    0
}
