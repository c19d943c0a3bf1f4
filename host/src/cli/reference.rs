//! `kefu reference openapi|metrics`: the parts of docs/ that are made from the code. `cargo xtask generate` writes them.

use clap::Subcommand;

use super::say;
use crate::{api, health, telemetry};

/// What to write.
#[derive(Debug, Subcommand)]
pub(super) enum Reference {
    /// docs/openapi.json.
    Openapi,
    /// docs/METRICS.md.
    Metrics,
}

pub(super) fn run(what: &Reference) -> anyhow::Result<()> {
    let text = match what {
        Reference::Openapi => api::openapi(health::entries()),
        Reference::Metrics => telemetry::reference(),
    };
    say(text.trim_end())
}
