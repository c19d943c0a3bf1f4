//! A message filter that misbehaves as its config says: what the tests install. Never shipped.
//!
//! It behaves on all inputs of the admission check (their clock stands still at one moment), so that it gets to serve.

use kefu_plugin_sdk::Filter;
use kefu_plugin_sdk::filter::{Input, Verdict};
use serde::Deserialize;

/// The moment of the host's admission cases.
const ADMISSION: u64 = 1_750_000_000_000;

/// The plugin is its config: what to do wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostileFilter {
    /// The misdeed.
    pub deed: Deed,
}

/// The misdeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Never returns.
    Loop,
    /// Traps.
    Trap,
    /// Its own error.
    Error,
}

impl Filter for HostileFilter {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        Ok(config)
    }

    fn judge(&self, input: &Input) -> Result<Option<Verdict>, String> {
        if input.now == ADMISSION {
            return Ok(None);
        }
        match self.deed {
            Deed::Loop => loop {
                std::hint::black_box(input.seed);
            },
            Deed::Trap => std::process::abort(),
            Deed::Error => Err("as told".into()),
        }
    }
}

kefu_plugin_sdk::export_filter!(HostileFilter);
