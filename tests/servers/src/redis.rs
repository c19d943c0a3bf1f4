//! Redis: a single server, and a cluster of three masters.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::process::{Process, emptied, free_port, run};

/// One Redis server that keeps an append-only file.
#[derive(Debug)]
pub struct Redis {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    dir: PathBuf,
    settings: Vec<String>,
    process: Process,
}

impl Redis {
    /// Starts one on a free port with its data in `dir` (emptied first). `settings` are pairs of a directive and its
    /// value, as `["appendfsync", "always"]`; the default is `everysec`, `noeviction`.
    ///
    /// # Errors
    /// When it is not installed or does not come up; its log is in the message.
    pub fn start(dir: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        let dir = emptied(dir)?;
        let process = Process::new(dir.join("log"));
        let settings = settings.iter().map(|word| (*word).to_owned()).collect();
        let mut redis = Self { port: free_port()?, dir, settings, process };
        redis.restart()?;
        Ok(redis)
    }

    /// Starts it again on the same port and data.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--dir"]);
        command.arg(&self.dir).args(["--appendonly", "yes", "--maxmemory-policy", "noeviction"]);
        for pair in self.settings.chunks(2) {
            command.arg(format!("--{}", pair[0])).args(&pair[1..]);
        }
        self.process.start(&mut command).context("redis-server")?;
        let port = self.port;
        let ready = move || ask(port, &["ping"]).is_ok_and(|answer| answer == "PONG");
        self.process.wait(Duration::from_secs(20), ready).context("redis-server")
    }

    /// `redis://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// One command through `redis-cli`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        ask(self.port, words)
    }

    /// Kills it by signal 9.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Three masters that share the slots, without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters.
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts three and joins them.
    ///
    /// # Errors
    /// As [`Redis::start`], or when they do not agree within 30 s.
    pub fn start(dir: &Path) -> anyhow::Result<Self> {
        let dir = emptied(dir)?;
        let mut nodes = Vec::new();
        for number in 0..3 {
            // The cluster bus listens on port + 10,000, which must be a port too.
            let settings = ["cluster-enabled", "yes", "cluster-port", &free_port()?.to_string()]
                .map(str::to_owned);
            let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
            nodes.push(Redis::start(&dir.join(number.to_string()), &settings)?);
        }
        let members: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(&members).args(["--cluster-yes"]);
        run(&mut create)?;
        let agree = || {
            nodes.iter().all(|node| {
                let info = node.ask(&["cluster", "info"]).unwrap_or_default();
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !agree() {
            anyhow::ensure!(std::time::Instant::now() < deadline, "the cluster does not agree");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { nodes })
    }

    /// The masters' addresses, separated by commas: `redis://127.0.0.1:p1,redis://127.0.0.1:p2…`.
    #[must_use]
    pub fn urls(&self) -> String {
        self.nodes.iter().map(Redis::url).collect::<Vec<_>>().join(",")
    }
}

fn ask(port: u16, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(words).output()?;
    anyhow::ensure!(output.status.success(), "redis-cli: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
