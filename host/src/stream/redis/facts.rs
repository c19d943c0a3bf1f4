//! What the server says of itself: enough to refuse one that cannot do, and to tell an operator which promise an `ack`
//! makes here.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::link::{Failure, Link, Server};
use crate::domain::ids::Millis;

/// Oldest version with sharded pub/sub.
const OLDEST: (u32, u32) = (7, 0);

/// See the module. What a server does not let us ask (managed ones forbid `CONFIG`) is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// As `7.0.15`.
    pub version: String,
    /// Several masters share the keys.
    pub cluster: bool,
    /// It keeps an append-only file.
    pub append_only: Option<bool>,
    /// `always`, `everysec` or `no`.
    pub append_fsync: Option<String>,
    /// Anything but `noeviction` throws acked events away when memory is short.
    pub eviction: Option<String>,
    /// Most bytes of memory; 0: what the machine has.
    pub max_memory: Option<u64>,
    /// Bytes of memory in use.
    pub used_memory: Option<u64>,
    /// Its clock in the middle of the questions, ms since 1970.
    pub clock: Option<Millis>,
    /// What one command took.
    pub round_trip: Duration,
}

impl Facts {
    /// Asks the server behind these addresses.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn of(urls: &[String], patience: Duration) -> Result<Self, String> {
        let asked = async { Self::ask(&Link::new(Server::find(urls, patience).await?)).await };
        asked.await.map_err(|failure: Failure| failure.to_string())
    }

    /// On a cluster one of its servers speaks for all.
    pub(super) async fn ask(link: &Link) -> Result<Self, Failure> {
        let alone = link.server.any();
        let link = Link::new(alone);
        let begun = Instant::now();
        let info: String = link.run(&redis::cmd("INFO")).await?;
        let round_trip = begun.elapsed();
        let line = |name: &str| {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.map(|value| value.trim().to_owned())
        };
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg("appendfsync").arg("maxmemory-policy");
        let config: HashMap<String, String> = match link.run(&command).await {
            Ok(config) => config,
            Err(Failure::Refused(_)) => HashMap::new(),
            Err(failure) => return Err(failure),
        };
        let time: Option<(u64, u64)> = match link.run(&redis::cmd("TIME")).await {
            Ok(time) => Some(time),
            Err(Failure::Refused(_)) => None,
            Err(failure) => return Err(failure),
        };
        Ok(Self {
            clock: time.map(|(seconds, micros)| seconds * 1000 + micros / 1000),
            version: line("redis_version").unwrap_or_default(),
            cluster: line("cluster_enabled").as_deref() == Some("1"),
            append_only: line("aof_enabled").map(|value| value == "1"),
            append_fsync: config.get("appendfsync").cloned(),
            eviction: line("maxmemory_policy").or_else(|| config.get("maxmemory-policy").cloned()),
            max_memory: line("maxmemory").and_then(|value| value.parse().ok()),
            used_memory: line("used_memory").and_then(|value| value.parse().ok()),
            round_trip,
        })
    }

    /// Why this server cannot do.
    ///
    /// # Errors
    /// The reason, for an operator.
    pub fn check(&self) -> Result<(), String> {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if version < OLDEST {
            let (major, minor) = OLDEST;
            return Err(format!("it is Redis {}, and {major}.{minor} is the oldest", self.version));
        }
        match self.eviction.as_deref() {
            None | Some("noeviction") => Ok(()),
            Some(policy) => Err(format!(
                "its maxmemory-policy is {policy}: when memory is short it would throw messages away; set noeviction"
            )),
        }
    }
}
