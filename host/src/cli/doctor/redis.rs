//! What `kefu doctor` says of Redis.

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};

use super::{Found, Good, Note, Report, clock_of, in_time};
use crate::config::Config;
use crate::runtime::Clock;
use crate::stream::{RedisConfig, RedisFacts};

/// Beyond this every message is felt.
const FAR: Duration = Duration::from_millis(5);

pub(super) async fn lines(
    config: &Config,
    redis: &RedisConfig,
    report: &mut Report,
) -> anyhow::Result<()> {
    let begun = Clock::system().now();
    let asked = async {
        RedisFacts::of(&redis.urls, redis.command_timeout).await.map_err(|why| anyhow!("{why}"))
    };
    let found = match in_time(asked).await {
        Ok(found) => found,
        Err(why) => return report.line("redis", Err(anyhow!("{}: {why}", config.redis.url))),
    };
    let asked = begun..=Clock::system().now();
    report.line("redis", place(config, &found))?;
    report.line("redis memory", memory(&found))?;
    if let Some(clock) = found.clock {
        report.line("redis clock", clock_of(clock, &asked))?;
    }
    report.line("acks", acks(&found))
}

fn place(config: &Config, found: &RedisFacts) -> anyhow::Result<Found> {
    let trip = found.round_trip.as_secs_f64() * 1000.0;
    let kind = if found.cluster { ", a cluster" } else { "" };
    let said = format!("{}, version {}{kind}, ping {trip:.1} ms", config.redis.url, found.version);
    found.check().map_err(|why| anyhow!("{said}: {why}"))?;
    let far = found.round_trip > FAR;
    Ok(if far { Note(format!("{said}: far away, every message waits for it")) } else { Good(said) })
}

fn memory(found: &RedisFacts) -> anyhow::Result<Found> {
    let mib = |bytes: u64| bytes >> 20;
    let (Some(used), Some(most)) = (found.used_memory, found.max_memory) else {
        return Ok(Note("it does not say how much it has".into()));
    };
    if most == 0 {
        let said = format!("{} MiB used, maxmemory is not set", mib(used));
        return Ok(Note(format!("{said}: at the end of its memory the system kills it")));
    }
    let said = format!("{} of {} MiB used", mib(used), mib(most));
    ensure!(used / 10 < most / 10 * 9 / 10, "{said}: soon no message is taken any more");
    Ok(Good(said))
}

/// How much an `ack` promises.
fn acks(found: &RedisFacts) -> anyhow::Result<Found> {
    match (found.append_only, found.append_fsync.as_deref()) {
        (Some(false), _) => bail!(
            "nothing is on Redis's disk (appendonly no): when it restarts, acked messages are gone"
        ),
        (_, Some("always")) => Ok(Good("survive power loss (Redis, appendfsync always)".into())),
        (_, Some("everysec")) => Ok(Good(
            "survive any crash of a process; power loss may take the last 2 s (Redis, appendfsync everysec)".into(),
        )),
        (_, Some(other)) => Ok(Note(format!(
            "power loss may take what the system had not written yet (Redis, appendfsync {other})"
        ))),
        (_, None) => Ok(Note("Redis does not say how they are kept (CONFIG is forbidden)".into())),
    }
}
