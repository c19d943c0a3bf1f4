//! `kefu doctor`: looks at what usually goes wrong, and says what is in force; it changes nothing. `ok` is as it should
//! be, `note` is worth knowing, `WRONG` has to be changed and makes the command fail.

mod data;
mod kafka;
mod limits;
mod postgres;
mod redis;

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{anyhow, bail, ensure};
use serde_json::Value;
use tokio::time::timeout;

use super::link::Link;
use super::say;
use super::team::text;
use crate::app::{self, Exposure};
use crate::config::Config;
use crate::runtime::Clock;
use crate::storage::StorageConfig;

/// 2024-01-01: ids count from there.
const FIRST_DAY_MS: u64 = 1_704_067_200_000;
/// A file's time and the clock of one machine agree to this.
const APART_MS: u64 = 2000;
/// Clocks of two machines that NTP keeps agree to this.
const CLOCKS_APART_MS: u64 = 1000;
/// How long anything may take to answer: whatever hangs, the doctor goes on.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was found, when nothing is wrong.
enum Found {
    Good(String),
    Note(String),
}

use Found::{Good, Note};

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut report = Report { wrong: 0 };
    report.line("config", Ok(Good("no mistakes".into())))?;
    report.line("data directory", data::directory(&config.server.data_dir))?;
    report.line("disk space", data::free_space(&config.server.data_dir))?;
    report.line("clock", clock(&config.server.data_dir))?;
    report.line("open files", limits::open_files(config.transport.connections as u64))?;
    report.line("waiting connections", limits::waiting_connections())?;
    report.line("memory", limits::memory(&config))?;
    match app::redis_config(&config) {
        Some(settings) => self::redis::lines(&config, &settings, &mut report).await?,
        None => report
            .line("acks", Ok(Good("survive power loss (embedded, synchronous=FULL)".into())))?,
    }
    if let StorageConfig::Postgres(settings) = app::storage_config(&config) {
        postgres::lines(&config, &settings, &mut report).await?;
    }
    if let Some(settings) = app::journal_settings(&config) {
        kafka::lines(&config, &settings, &mut report).await?;
    }
    server(&config, &mut report).await?;
    match report.wrong {
        0 => Ok(()),
        1 => bail!("1 thing is wrong"),
        many => bail!("{many} things are wrong"),
    }
}

struct Report {
    wrong: u32,
}

impl Report {
    fn line(&mut self, what: &str, outcome: anyhow::Result<Found>) -> anyhow::Result<()> {
        say(&match outcome {
            Ok(Good(detail)) => format!("ok     {what}: {detail}"),
            Ok(Note(detail)) => format!("note   {what}: {detail}"),
            Err(error) => {
                self.wrong += 1;
                format!("WRONG  {what}: {error:#}")
            }
        })
    }
}

/// The clock is after kefu's first day, and not before what the data directory has seen.
fn clock(dir: &Path) -> anyhow::Result<Found> {
    let now = Clock::system().now();
    if now < FIRST_DAY_MS {
        bail!("it is before 2024: set the system's clock");
    }
    for name in ["stream.db", "stream.db-wal", "kefu.db", "kefu.db-wal"] {
        let Ok(changed) = std::fs::metadata(dir.join(name)).and_then(|file| file.modified()) else {
            continue;
        };
        let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let ahead = u64::try_from(changed).unwrap_or(u64::MAX).saturating_sub(now);
        if ahead > APART_MS {
            bail!("{name} was changed {} s after now: the clock went back", ahead / 1000);
        }
    }
    Ok(Good("after everything in the data directory".into()))
}

/// Another machine's clock lies between ours before and after the question, give or take.
fn clock_of(clock: u64, asked: &std::ops::RangeInclusive<u64>) -> anyhow::Result<Found> {
    let ahead = clock.saturating_sub(*asked.end());
    let behind = asked.start().saturating_sub(clock);
    let apart = ahead.max(behind);
    let word = if ahead > 0 { "ahead of" } else { "behind" };
    ensure!(apart <= CLOCKS_APART_MS, "{apart} ms {word} this machine's: set both by NTP");
    Ok(Good(format!("within {} ms of this machine's", apart.max(1))))
}

/// Waits for an answer, but not for ever.
async fn in_time<T>(answer: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let late = |_| Err(anyhow!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, answer).await.unwrap_or_else(late)
}

fn exposure(server: &Exposure) -> anyhow::Result<Found> {
    let listen = server.listen;
    if !listen.ip().is_loopback() && !server.public_url.starts_with("https://") {
        bail!(
            "it listens on {listen} without an https server.public_url: passwords go in the clear"
        );
    }
    if !server.public_url.is_empty() && !server.trusts_proxies {
        return Ok(Note(format!(
            "listens on {listen}, is called {}, and server.trusted_proxies is empty: every visitor \
             seems to come from the proxy, and they share its rate limits",
            server.public_url
        )));
    }
    Ok(Good(format!("listens on {listen}")))
}

/// The running server, or, when none runs, its data.
async fn server(config: &Config, report: &mut Report) -> anyhow::Result<()> {
    let own = Exposure::of(&config.server);
    match in_time(Link::running(config)).await {
        Ok(Some(link)) => running(link, report).await,
        Ok(None) => {
            report.line("exposure", exposure(&own))?;
            report.line("server", startable(config))?;
            data::lines(config, report).await
        }
        Err(error) => {
            report.line("exposure", exposure(&own))?;
            report.line("server", Err(error))
        }
    }
}

async fn running(mut link: Link, report: &mut Report) -> anyhow::Result<()> {
    let served = in_time(link.exposure()).await;
    report.line("exposure", served.and_then(|served| exposure(&served)))?;
    report.line("server", Ok(Good(format!("version {} runs", env!("CARGO_PKG_VERSION")))))?;
    match in_time(link.get("/health/ready")).await {
        Ok(ready) => readiness(&ready, report)?,
        Err(error) => report.line("work", Err(error.context("it takes no work")))?,
    }
    let trusted = in_time(link.get("/v1/plugins/trust")).await;
    report.line("plugin trust", trusted.map(|trusted| trust(&trusted)))?;
    match in_time(link.get("/v1/plugins")).await {
        Ok(all) => plugins(&all, report),
        Err(error) => report.line("plugins", Err(error)),
    }
}

/// Whether nothing would be in the way of a server that does not run.
fn startable(config: &Config) -> anyhow::Result<Found> {
    data::unused(&config.server.data_dir)?;
    let listen = config.server.listen;
    match std::net::TcpListener::bind(listen) {
        Ok(_) => Ok(Note("does not run; its address is free".into())),
        Err(why) => Err(anyhow!("does not run, and cannot listen on {listen}: {why}")),
    }
}

fn plugins(all: &Value, report: &mut Report) -> anyhow::Result<()> {
    ["routing", "filter", "inspection"]
        .into_iter()
        .try_for_each(|point| report.line(&format!("plugin {point}"), serves(all, point)))
}

/// What the running server says of itself.
fn readiness(ready: &Value, report: &mut Report) -> anyhow::Result<()> {
    let outages = ready["outages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let out: Vec<_> = outages.iter().map(|one| text(&one["part"])).collect();
    report.line(
        "work",
        match out.is_empty() {
            true => Ok(Good("it takes work".into())),
            false => Err(anyhow!("it takes work without {}", out.join(", "))),
        },
    )?;
    report.line("warm-up", warm_up(&ready["warm_up"]))
}

/// How the last one went.
fn warm_up(last: &Value) -> anyhow::Result<Found> {
    let Some(at) = last["at"].as_u64() else {
        return Ok(Note("none yet: warmup.at_start is false, and no opening was near".into()));
    };
    let steps = last["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ago = Clock::system().now().saturating_sub(at) / 1000;
    let failed = steps.iter().filter(|step| step["failure"].is_string());
    let failed = failed.map(|step| format!("{}: {}", text(&step["step"]), text(&step["failure"])));
    let failed: Vec<_> = failed.collect();
    ensure!(failed.is_empty(), "{ago} s ago not all got warm: {}", failed.join("; "));
    let took = steps.iter().map(|step| format!("{} {} ms", text(&step["step"]), step["ms"]));
    Ok(Good(format!("{ago} s ago, {}", took.collect::<Vec<_>>().join(", "))))
}

/// Which plugins may serve here.
fn trust(trust: &Value) -> Found {
    let many = |what: &str| trust[what].as_array().map_or(0, Vec::len);
    let require = text(&trust["require"]);
    let (keys, lists) = (many("keys"), many("revocations"));
    let said =
        format!("plugins.require = \"{require}\", trusted keys: {keys}, revocation lists: {lists}");
    match require {
        "trusted" => Good(said),
        "signed" => Note(format!("{said}: anyone's packages are taken")),
        _ => Note(format!("{said}: anything is taken, signed or not")),
    }
}

fn serves(plugins: &Value, point: &str) -> anyhow::Result<Found> {
    let all = plugins["generations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut here = all.iter().filter(|one| one["point"] == *point);
    let named = |one: &Value| {
        let number = &one["number"];
        format!("{point}/{number} {} {}", text(&one["name"]), text(&one["plugin_version"]))
    };
    let taken_out = here.clone().find(|one| one["stage"] == "quarantined");
    if let Some(active) = here.find(|one| one["stage"] == "active") {
        let serves = format!("{} serves", named(active));
        // What was taken out and not replaced since.
        let later =
            taken_out.filter(|out| out["created_at"].as_u64() > active["created_at"].as_u64());
        return Ok(match later {
            Some(out) => {
                let why = text(&out["fault"]);
                Note(format!("{serves}, since {} was taken out ({why})", named(out)))
            }
            None if active["origin"] == "earlier" => {
                Note(format!("{serves}; installed before kefu asked who signed a plugin"))
            }
            None => Good(serves),
        });
    }
    match taken_out {
        Some(one) => bail!(
            "{} is quarantined ({}) and none serves; `kefu plugin activate {point}/NUMBER`",
            named(one),
            text(&one["fault"])
        ),
        None => Ok(Note("none serves, the built-in answer does".into())),
    }
}
