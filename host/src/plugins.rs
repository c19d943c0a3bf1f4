//! Plugins: the decisions that an operator can replace while the server runs.
//!
//! A call takes the active generation of its point, runs it inside its budgets, checks the answer, and returns an
//! [`Answer`] that says how it ended. Never waits, never fails: where no plugin answers, the caller falls back.

use crate::domain::inspection::Scorecard;
use crate::domain::plugin::{Answer, FilterInput, InspectionInput, Ranking, RoutingInput, Verdict};

/// The plugin host.
#[derive(Debug, Default)]
pub struct Plugins {}

impl Plugins {
    /// Scores all candidates in one call. Synchronous and bounded (about 10 µs for 50 candidates).
    pub fn rank(&self, _input: &RoutingInput) -> Answer<Ranking> {
        absent()
    }

    /// Judges one draft. Synchronous and bounded (about 10 µs for 200 bytes).
    pub fn judge(&self, _input: &FilterInput) -> Answer<Verdict> {
        absent()
    }

    /// Scores one closed conversation. May take milliseconds: call it off the hot tasks.
    pub fn inspect(&self, _input: &InspectionInput) -> Answer<Scorecard> {
        absent()
    }
}

fn absent<T>() -> Answer<T> {
    Answer {
        value: None,
        outcome: crate::domain::plugin::Outcome::Absent,
        generation: None,
        digest: None,
        fuel: 0,
        micros: 0,
        detail: None,
    }
}
