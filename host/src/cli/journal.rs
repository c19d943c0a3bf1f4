//! `kefu journal republish`.

use anyhow::{Context, bail};
use clap::Subcommand;

use super::say;
use crate::app;
use crate::config::Config;
use crate::domain::ids::Millis;
use crate::journal::Journal as Topic;
use crate::pipeline::republish::republish;
use crate::runtime::Clock;
use crate::storage;

/// What to do with the journal.
#[derive(Debug, Subcommand)]
pub(super) enum Journal {
    /// Write events that SQL has to the topic again; readers pass over those they have (docs/JOURNAL.md).
    Republish {
        /// From when on: 30m, 6h or 2d ago, or milliseconds since 1970.
        #[arg(long, value_name = "WHEN", value_parser = when)]
        since: When,
    },
}

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Ago(Millis),
    At(Millis),
}

pub(super) async fn run(command: Journal, config: Config) -> anyhow::Result<()> {
    let Journal::Republish { since } = command;
    let clock = Clock::system();
    let Some(settings) = app::journal_settings(&config) else {
        bail!("there is no journal: kafka.brokers is empty");
    };
    let opened = storage::open(&app::storage_config(&config)).await?;
    let archived = opened.archived.context("the journal needs PostgreSQL (storage.url)")?;
    let topic = Topic::open(settings, clock.clone())?;
    let now = clock.now();
    let from = match since {
        When::Ago(ms) => now.saturating_sub(ms),
        When::At(at) => at,
    };
    let mut told = 0;
    let sent = republish(archived, &topic, (from, now), |sent| {
        if sent - told >= 100_000 {
            told = sent;
            drop(say(&format!("{sent} events so far")));
        }
    })
    .await?;
    say(&format!("{sent} events since {from} are in the topic {} again", config.kafka.topic))
}

fn when(text: &str) -> Result<When, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: Millis = text[..digits].parse().map_err(|_| "as 30m, 6h, 2d or milliseconds")?;
    let unit = match &text[digits..] {
        "" => return Ok(When::At(number)),
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        other => return Err(format!("`{other}` is none of m, h, d")),
    };
    number.checked_mul(unit).map(When::Ago).ok_or_else(|| "that is too long ago".into())
}
