//! What `kefu doctor` says of PostgreSQL.

use std::time::Duration;

use anyhow::{bail, ensure};

use super::{Found, Good, Note, Report, clock_of, in_time};
use crate::config::Config;
use crate::runtime::Clock;
use crate::storage::{Examined, PostgresConfig, examine};

/// Beyond this every change of a conversation is felt.
const FAR: Duration = Duration::from_millis(20);

pub(super) async fn lines(
    config: &Config,
    postgres: &PostgresConfig,
    report: &mut Report,
) -> anyhow::Result<()> {
    let begun = Clock::system().now();
    let asked = async { examine(postgres).await.map_err(anyhow::Error::new) };
    let found = match in_time(Box::pin(asked)).await {
        Ok(found) => found,
        Err(error) => {
            let told = anyhow::anyhow!("{}: {error}", config.storage.url);
            return report.line("postgres", Err(told));
        }
    };
    let ended = Clock::system().now();
    report.line("postgres", place(config, &found))?;
    report.line("postgres commits", commits(&found))?;
    report.line("postgres clock", clock_of(found.clock, &(begun..=ended)))?;
    report.line("postgres tables", tables(found.migrations))?;
    report.line("postgres connections", connections(config, found.connections))?;
    report.line("archive", archive(found.conflicts))
}

fn place(config: &Config, found: &Examined) -> anyhow::Result<Found> {
    let ping = found.ping.as_secs_f64() * 1000.0;
    let said = format!("{}, version {}, ping {ping:.1} ms", config.storage.url, found.version);
    let far = found.ping > FAR;
    Ok(if far { Note(format!("{said}: far away, every change waits for it")) } else { Good(said) })
}

fn commits(found: &Examined) -> anyhow::Result<Found> {
    let said =
        format!("fsync = {}, synchronous_commit = {}", found.fsync, found.synchronous_commit);
    ensure!(found.fsync == "on", "{said}: a power loss may destroy the database");
    if found.synchronous_commit == "off" {
        return Ok(Note(format!("{said}: a crash of its machine may take back the last changes")));
    }
    Ok(Good(format!("survive power loss ({said})")))
}

fn tables((applied, known): (usize, usize)) -> anyhow::Result<Found> {
    if applied > known {
        bail!("{applied} migrations applied, {known} known: a newer kefu wrote it, run that one");
    }
    let said = format!("{applied} of {known} migrations applied");
    Ok(if applied < known {
        Note(format!("{said}; `kefu serve` applies the rest"))
    } else {
        Good(said)
    })
}

fn connections(config: &Config, (most, taken): (u64, u64)) -> anyhow::Result<Found> {
    let ours = u64::from(config.storage.connections);
    let said = format!("{taken} of {most} taken now, storage.connections = {ours} per node");
    ensure!(ours < most, "{said}: more than it takes");
    Ok(Good(said))
}

fn archive(conflicts: Option<u64>) -> anyhow::Result<Found> {
    match conflicts.unwrap_or(0) {
        0 => Ok(Good("no event has another's number".into())),
        many => bail!("{many} events came with the number of another: see table event_conflicts"),
    }
}
