//! `--cluster`: private Redis, Kafka and PostgreSQL, started by the run itself below `target/servers`, and a server that
//! stands on them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kefu_servers::{Kafka, Postgres, Redis};
use kefu_tests::server::Setup;

/// Where a server keeps what it is told.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Place {
    /// On private Redis, Kafka and PostgreSQL instead of SQLite.
    #[arg(long)]
    cluster: bool,
}

impl Place {
    /// The setup of a server there, and what has to stay alive for it.
    pub(crate) fn setup(self, setup: Setup) -> anyhow::Result<(Setup, Option<Servers>)> {
        if !self.cluster {
            return Ok((setup, None));
        }
        let servers = Servers::start(&Shape::default())?;
        Ok((servers.setup(setup), Some(servers)))
    }

    /// How figures of runs there are named apart.
    pub(crate) fn word(self) -> &'static str {
        if self.cluster { "cluster" } else { "embedded" }
    }
}

/// Which servers.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Shape {
    /// Redis' own: `everysec` survives the death of any process, `always` a power cut.
    #[arg(long, default_value = "everysec", value_parser = ["everysec", "always"])]
    pub(crate) appendfsync: String,
    /// Without Kafka: the archive reads the stream.
    #[arg(long)]
    no_journal: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { appendfsync: "everysec".into(), no_journal: false }
    }
}

/// Running servers; they end with the value.
pub(crate) struct Servers {
    dir: PathBuf,
    redis: Redis,
    pub(crate) postgres: Postgres,
    pub(crate) kafka: Option<Kafka>,
}

impl Servers {
    /// Starts them on free ports with empty data.
    pub(crate) fn start(shape: &Shape) -> anyhow::Result<Self> {
        let target = target()?;
        let missing = kefu_servers::prepare(&target);
        let dir = target.join("servers").join(format!("bench-{}", std::process::id()));
        let start = || {
            let kafka = (!shape.no_journal).then(|| Kafka::start(&dir.join("kafka"), &target));
            anyhow::Ok(Self {
                dir: dir.clone(),
                redis: Redis::start(&dir.join("redis"), &["appendfsync", &shape.appendfsync])?,
                postgres: Postgres::start(&dir.join("postgres"))?,
                kafka: kafka.transpose()?,
            })
        };
        start().with_context(|| format!("a server cannot be started; missing: {missing:?}"))
    }

    /// A server that stands on them.
    pub(crate) fn setup(&self, setup: Setup) -> Setup {
        let setup = setup.on(&self.postgres.url("postgres"));
        let setup = setup.with("KEFU__REDIS__URL", &self.redis.url());
        match &self.kafka {
            Some(kafka) => setup.with("KEFU__KAFKA__BROKERS", &kafka.brokers()),
            None => setup,
        }
    }

    /// Events that SQL has.
    pub(crate) fn archived(&self) -> anyhow::Result<u64> {
        Ok(self.postgres.ask("SELECT count(*) FROM events")?.parse()?)
    }

    /// What each of them holds, in bytes: Redis in memory, the others on disk.
    pub(crate) fn bytes(&self) -> anyhow::Result<Vec<(&'static str, u64)>> {
        let memory = self.redis.ask(&["info", "memory"])?;
        let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
        let used = used.context("Redis does not say what it uses")?.trim().parse()?;
        let database = "SELECT pg_database_size(current_database())";
        let mut bytes = vec![("redis", used), ("postgres", self.postgres.ask(database)?.parse()?)];
        if self.kafka.is_some() {
            bytes.push(("kafka", on_disk(&self.dir.join("kafka"))));
        }
        Ok(bytes)
    }
}

/// What the files of a folder take on disk: Kafka makes its indexes long and empty.
fn on_disk(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let one = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => on_disk(&entry.path()),
        // Blocks of 512 bytes (stat(2)).
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.map(one).sum()
}

/// The `target` folder this program lies in.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let target = here.ancestors().nth(2).context("this program is in no target folder")?;
    Ok(target.to_owned())
}
