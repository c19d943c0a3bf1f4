//! What `kefu doctor` says of the limits this machine sets.

use anyhow::{Context, bail};

use super::{Found, Good, Note};
use crate::config::Config;
use crate::runtime::OWN_FILES;

/// Below this many open files a busy server runs out of connections.
const FILES_WANTED: u64 = 4096;
/// Connections that the server lets wait until it takes them.
const BACKLOG: u64 = 1024;
/// What it needs besides plugins and Kafka's records, with some thousand sessions.
const MEMORY_OWN: u64 = 256 << 20;

pub(super) fn open_files(connections: u64) -> anyhow::Result<Found> {
    let limits = std::fs::read_to_string("/proc/self/limits").context("limits cannot be read")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)).unwrap_or("0");
    let Ok(most) = soft.parse::<u64>() else { return Ok(Good("any number may be open".into())) };
    if most < FILES_WANTED {
        bail!("only {most} may be open; raise LimitNOFILE (`ulimit -n`) to {FILES_WANTED} or more");
    }
    if most < connections + u64::from(OWN_FILES) {
        return Ok(Note(format!(
            "{most} may be open, fewer than transport.connections = {connections}; raise \
             LimitNOFILE (`ulimit -n`) or lower the setting"
        )));
    }
    Ok(Good(format!("{most} may be open, enough for transport.connections = {connections}")))
}

/// How many connections may wait while the server is busy.
pub(super) fn waiting_connections() -> anyhow::Result<Found> {
    let place = "/proc/sys/net/core/somaxconn";
    let text = std::fs::read_to_string(place).with_context(|| format!("{place} cannot be read"))?;
    let most: u64 = text.trim().parse().with_context(|| format!("{place}: {text:?}"))?;
    let said = format!("{most} may wait (net.core.somaxconn)");
    Ok(match most < BACKLOG {
        true => Note(format!(
            "{said}: fewer than the {BACKLOG} the server would let wait; when a whole shop comes \
             back at once, some have to try again"
        )),
        false => Good(said),
    })
}

pub(super) fn memory(config: &Config) -> anyhow::Result<Found> {
    let text = std::fs::read_to_string("/proc/meminfo").context("/proc/meminfo cannot be read")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let free = free.context("/proc/meminfo does not say what is available")? << 10;
    // A container's own bound, where there is one.
    let bound = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let bound = bound.and_then(|text| text.trim().parse::<u64>().ok());
    let most = bound.map_or(free, |bound| bound.min(free));
    let records = match config.kafka.brokers.is_empty() {
        true => 0,
        false => config.kafka.in_flight_bytes as u64,
    };
    let needed = MEMORY_OWN + (u64::from(config.plugins.total_memory_mb) << 20) + records;
    let said = format!("{} MB available, {} MB may be needed", most >> 20, needed >> 20);
    Ok(match most < needed {
        true => Note(format!(
            "{said}: lower plugins.total_memory_mb or kafka.in_flight_bytes, or give it more"
        )),
        false => Good(said),
    })
}
