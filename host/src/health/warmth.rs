//! How warm this node is: what the last warm-up came to. Whoever warms up notes it here; readiness, figures and the
//! doctor read it.

use std::sync::OnceLock;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ids::Millis;

/// One thing that was made warm, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WarmUpStep")]
pub struct Step {
    /// Which: `storage`, `stream`, `journal`, `plugins`, `room`.
    pub step: String,
    /// How long it took, ms.
    pub ms: u64,
    /// Why it did not go well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// One warm-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WarmUp")]
pub struct Warmed {
    /// When it ended.
    pub at: Millis,
    /// What was done.
    pub steps: Vec<Step>,
}

impl Warmed {
    /// Whether all went well.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.steps.iter().all(|step| step.failure.is_none())
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Warmth {
    last: Mutex<Option<Warmed>>,
    /// The first warm-up is done, or none is waited for.
    first: OnceLock<()>,
}

impl Warmth {
    /// A warm-up has ended.
    pub fn note(&self, warmed: Warmed) {
        *self.last.lock() = Some(warmed);
        self.need_not_wait();
    }

    /// Nobody waits for a first warm-up (any more).
    pub fn need_not_wait(&self) {
        let _again = self.first.set(());
    }

    /// Whether work may come.
    #[must_use]
    pub fn may_work(&self) -> bool {
        self.first.get().is_some()
    }

    /// The last one.
    #[must_use]
    pub fn last(&self) -> Option<Warmed> {
        self.last.lock().clone()
    }
}
