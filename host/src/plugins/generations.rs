//! A generation at work: its compiled component, its warm instances, and how often it failed lately.
//!
//! ```text
//!   take: warm instance, else a fresh one (instantiate + configure)
//!     └─▶ call in its budgets ─▶ answered, no opinion, error: back to the warm ones
//!                             └▶ trap, out of budget: the instance is dropped
//! ```
//! An instance keeps what its plugin keeps: a plugin that remembers earlier calls is not refused, but its decisions
//! cannot be repeated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::engine::{Limits, Linked, Live, Reply, Runner};
use crate::domain::plugin::{Answer, Outcome, Point};
use crate::storage::Generation;

/// Warm instances kept of one generation.
const WARM: usize = 8;
/// One fault weighs as much as this many good calls.
const FAULT_WEIGHT: u32 = 16;
/// `configure` may use this many times the budget of a call: it builds tables.
const CONFIGURE_FACTOR: u32 = 20;

/// One immutable (code, config, budget), compiled.
pub(super) struct Ready {
    pub(super) row: Generation,
    runner: Runner,
    linked: Linked,
    warm: Mutex<Vec<Live>>,
    /// Rises by [`FAULT_WEIGHT`] with a fault, falls by one with a good call.
    strain: AtomicU32,
}

impl Ready {
    pub(super) fn new(row: Generation, runner: Runner, linked: Linked) -> Self {
        let warm = Mutex::new(Vec::with_capacity(WARM));
        Self { row, runner, linked, warm, strain: AtomicU32::new(0) }
    }

    pub(super) fn point(&self) -> Point {
        self.linked.point()
    }

    /// Instantiates and configures once, to see whether the config is taken.
    ///
    /// # Errors
    /// The plugin's refusal or its fault, in words.
    pub(super) fn try_start(&self) -> Result<(), String> {
        let live = self.start().map_err(|fault| format!("configure broke: {fault}"))??;
        self.warm.lock().push(live);
        Ok(())
    }

    /// Keeps at least `many` instances, as far as any are kept.
    ///
    /// # Errors
    /// Why one cannot be made.
    pub(super) fn warm(&self, many: usize) -> Result<(), String> {
        while self.warm.lock().len() < many.min(WARM) {
            let live = self.start()?.map_err(|refusal| format!("config refused: {refusal}"))?;
            self.give_back(live);
        }
        Ok(())
    }

    /// One call: inside the budgets, answer checked, always an [`Answer`].
    pub(super) fn ask<R, T>(
        &self,
        call: impl FnOnce(&mut Live) -> Reply<R>,
        check: impl FnOnce(R) -> Result<T, String>,
    ) -> Answer<T> {
        let begun = Instant::now();
        let (outcome, value, detail, fuel) = self.run(call, check);
        Answer {
            value,
            outcome,
            generation: Some(self.row.id),
            digest: Some(self.row.digest.clone()),
            fuel,
            micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            detail,
        }
    }

    /// Notes how a call ended; `true` when it has failed too often to go on.
    pub(super) fn strained(&self, outcome: Outcome, quarantine_after: u32) -> bool {
        if outcome != Outcome::Fault {
            let fall = |strain: u32| strain.checked_sub(1);
            // Nothing to lower is the usual case.
            let _ = self.strain.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fall);
            return false;
        }
        let before = self.strain.fetch_add(FAULT_WEIGHT, Ordering::Relaxed);
        let after = before.saturating_add(FAULT_WEIGHT);
        // Good calls in between wear the weight down by less than one fault's worth.
        after > FAULT_WEIGHT.saturating_mul(quarantine_after.saturating_sub(1))
    }

    fn run<R, T>(
        &self,
        call: impl FnOnce(&mut Live) -> Reply<R>,
        check: impl FnOnce(R) -> Result<T, String>,
    ) -> (Outcome, Option<T>, Option<String>, u64) {
        let mut live = match self.take() {
            Ok(live) => live,
            Err(fault) => return (Outcome::Fault, None, Some(fault), 0),
        };
        if let Err(fault) = live.arm(self.limits()) {
            return (Outcome::Fault, None, Some(fault), 0);
        }
        let reply = call(&mut live);
        let fuel = self.row.fuel.saturating_sub(live.fuel_left());
        let reply = match reply {
            Ok(reply) => reply,
            // The instance is dropped here: after a trap its memory is in no known state.
            Err(fault) => return (Outcome::Fault, None, Some(fault), fuel),
        };
        self.give_back(live);
        match reply {
            Ok(None) => (Outcome::NoOpinion, None, None, fuel),
            Err(mut words) => {
                words.truncate(words.floor_char_boundary(500));
                (Outcome::Error, None, Some(words), fuel)
            }
            Ok(Some(raw)) => match check(raw) {
                Ok(value) => (Outcome::Answered, Some(value), None, fuel),
                Err(fault) => (Outcome::Fault, None, Some(fault), fuel),
            },
        }
    }

    fn take(&self) -> Result<Live, String> {
        let warm = self.warm.lock().pop();
        match warm {
            Some(live) => Ok(live),
            None => self.start()?.map_err(|refusal| format!("config refused: {refusal}")),
        }
    }

    fn give_back(&self, live: Live) {
        let mut warm = self.warm.lock();
        if warm.len() < WARM {
            warm.push(live);
        }
    }

    fn start(&self) -> Result<Result<Live, String>, String> {
        let call = self.limits();
        let limits = Limits {
            fuel: call.fuel.saturating_mul(u64::from(CONFIGURE_FACTOR)),
            deadline_ms: call.deadline_ms.saturating_mul(CONFIGURE_FACTOR),
            ..call
        };
        self.runner.start(&self.linked, &self.row.config, limits)
    }

    fn limits(&self) -> Limits {
        let Generation { fuel, deadline_ms, memory_mb, .. } = self.row;
        Limits { fuel, deadline_ms, memory_mb }
    }
}
