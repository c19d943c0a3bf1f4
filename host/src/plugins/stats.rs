//! What the calls of one point were like: counts, and a histogram of times in powers of √2.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::plugin::{Outcome, Point};

/// 2^(63/2) µs is about an hour: more than any deadline.
const BUCKETS: usize = 64;

#[derive(Debug)]
pub(super) struct Stats {
    answered: AtomicU64,
    no_opinion: AtomicU64,
    errors: AtomicU64,
    faults: AtomicU64,
    absent: AtomicU64,
    fuel: AtomicU64,
    nanos: AtomicU64,
    times: [AtomicU64; BUCKETS],
}

/// How long the calls of one point took.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// Which point.
    pub point: Point,
    /// Calls that took no longer than so many seconds.
    pub buckets: Vec<(f64, u64)>,
    /// All together, seconds.
    pub sum: f64,
    /// Calls.
    pub count: u64,
}

/// Of the buckets, those shown: 1 µs, 4 µs, 16 µs … 1 s.
const SHOWN: [usize; 11] = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40];

/// Counts of one point since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PointStats {
    /// Which point.
    pub point: Point,
    /// Calls that reached a plugin.
    pub calls: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, without an opinion.
    pub no_opinion: u64,
    /// Of these, ended by the plugin's own error.
    pub errors: u64,
    /// Of these, ended by a fault.
    pub faults: u64,
    /// Calls while no plugin was active.
    pub absent: u64,
    /// Fuel used by all calls.
    pub fuel: u64,
    /// Half of the calls took no longer, µs (upper bound of its bucket).
    pub p50_us: u64,
    /// 99 of 100 calls took no longer, µs (upper bound of its bucket).
    pub p99_us: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            answered: AtomicU64::new(0),
            no_opinion: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            absent: AtomicU64::new(0),
            fuel: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
            times: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Stats {
    pub(super) fn record(&self, outcome: Outcome, took: Duration, fuel: u64) {
        let count = match outcome {
            Outcome::Answered => &self.answered,
            Outcome::NoOpinion => &self.no_opinion,
            Outcome::Error => &self.errors,
            Outcome::Fault => &self.faults,
            Outcome::Absent => &self.absent,
        };
        count.fetch_add(1, Ordering::Relaxed);
        if outcome != Outcome::Absent {
            self.fuel.fetch_add(fuel, Ordering::Relaxed);
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            self.nanos.fetch_add(nanos, Ordering::Relaxed);
            self.times[bucket(took)].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self, point: Point) -> PointStats {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (answered, no_opinion) = (get(&self.answered), get(&self.no_opinion));
        let (errors, faults) = (get(&self.errors), get(&self.faults));
        let times = self.times.each_ref().map(get);
        PointStats {
            point,
            calls: answered + no_opinion + errors + faults,
            answered,
            no_opinion,
            errors,
            faults,
            absent: get(&self.absent),
            fuel: get(&self.fuel),
            p50_us: quantile(&times, 50),
            p99_us: quantile(&times, 99),
        }
    }
}

impl Stats {
    pub(super) fn times(&self, point: Point) -> Times {
        let times = self.times.each_ref().map(|count| count.load(Ordering::Relaxed));
        let up_to = |index: usize| times[..=index].iter().sum();
        let bound = |index: usize| (index as f64 / 2.0).exp2() / 1e6;
        Times {
            point,
            buckets: SHOWN.iter().map(|&index| (bound(index), up_to(index))).collect(),
            sum: self.nanos.load(Ordering::Relaxed) as f64 / 1e9,
            count: times.iter().sum(),
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
