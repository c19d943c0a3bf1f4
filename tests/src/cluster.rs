//! Three nodes of one installation on private Redis, PostgreSQL and Kafka, behind a plain TCP balancer: visitors come to
//! one node, agents to another, supervisors to a third, and to the next one while theirs is dead. Each node reaches each
//! server through a link of its own, which may break (`faults`).
//!
//! ```text
//!   visitors ─▶ balancer ─▶ node 0 ══╗ links
//!   agents ───▶ balancer ─▶ node 1 ══╬══▶ Redis, Kafka, PostgreSQL
//!   admin ────▶ balancer ─▶ node 2 ══╝
//! ```

mod round;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use kefu_servers::{Door, Kafka, Postgres, Redis, free_port, named};
use serde_json::Value;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::checker::{
    self, Findings, Tiers, check_tiers, read_heads, read_redis, read_sql, read_topic,
};
use crate::http::{Ask, once};
use crate::log::Log;
use crate::proxy::Proxy;
use crate::server::{Server, Setup};
use crate::talk::Replayed;

pub use round::Round;

/// How many nodes there are.
pub const NODES: usize = 3;
/// Into how many parts the road is divided.
pub const PARTITIONS: u64 = 16;
/// Accounts `agent1` … of a cluster.
const AGENTS: u16 = 4;
/// Longest wait for anything to get well again.
pub const IN_TIME: Duration = Duration::from_secs(150);

/// Where events go on their way to SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    /// Nowhere: the archive reads the stream.
    None,
    /// To the Kafka that all tests share, which must not die.
    Shared,
    /// To one of the cluster's own.
    Own,
}

/// `ARGV[1]`: what the keys of the partitions' logs are like.
const LOGGED: &str = "local many = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  many = many + redis.call('XLEN', key)
end
return many";

/// A node's ways to the servers.
pub(crate) struct Links {
    pub(crate) redis: Proxy,
    pub(crate) postgres: Proxy,
    /// Only to a broker of the cluster's own.
    pub(crate) kafka: Option<Proxy>,
}

/// All of it; nodes end before what they stand on.
pub struct Cluster {
    /// Where visitors come to.
    pub visitors: Proxy,
    /// Where agents come to.
    pub agents: Proxy,
    /// Where supervisors come to.
    pub supervisors: Proxy,
    /// The nodes.
    pub nodes: Vec<Server>,
    pub(crate) links: Vec<Links>,
    /// The stream.
    pub redis: Redis,
    /// Rows and the archive.
    pub postgres: Postgres,
    pub(crate) kafka: Option<Kafka>,
    /// Where the broker is for who is no part of this.
    brokers: Option<String>,
    /// Of its keys, its topic and its folder.
    name: String,
}

impl Cluster {
    /// Starts everything; `settings` hold on all nodes. `None`, and noted as skipped, where there can be no servers.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn start(
        name: &str,
        broker: Broker,
        settings: &[(&'static str, &str)],
    ) -> anyhow::Result<Option<Self>> {
        Self::of(None, name, broker, settings).await
    }

    /// The same with nodes that run this program.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn of(
        program: Option<PathBuf>,
        name: &str,
        broker: Broker,
        settings: &[(&'static str, &str)],
    ) -> anyhow::Result<Option<Self>> {
        let shared = if broker == Broker::None { None } else { named("KEFU_TEST_KAFKA") };
        let there = ["KEFU_TEST_REDIS", "KEFU_TEST_POSTGRES"].map(named);
        if there.contains(&None) || (broker != Broker::None && shared.is_none()) {
            return Ok(None);
        }
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let dir = target.join("servers").join(name);
        let redis =
            block_in_place(|| Redis::start(&dir.join("redis"), &["appendfsync", "always"]))?;
        let postgres = block_in_place(|| Postgres::start(&dir.join("postgres")))?;
        let own = broker == Broker::Own;
        let (links, doors) = links(own, redis.port, postgres.port).await?;
        let start_kafka = || Kafka::with_doors(&dir.join("kafka"), &target, &doors);
        let kafka = own.then(|| block_in_place(start_kafka)).transpose()?;
        let brokers = kafka.as_ref().map(Kafka::brokers).or(shared);
        let number = u32::from_le_bytes(kefu::runtime::random_bytes());
        let name = format!("{name}-{number:08x}");
        let mut setup = setup(&name, &postgres.url("postgres"));
        setup.program = program;
        setup.settings.extend(settings.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let nodes = nodes(setup, &links, brokers.as_deref()).await?;
        let [visitors, agents, supervisors] = [0, 1, 2].map(|first: usize| {
            Proxy::to_first_of((0..NODES).map(|n| nodes[(first + n) % NODES].address).collect())
        });
        let (visitors, agents, supervisors) = tokio::try_join!(visitors, agents, supervisors)?;
        Ok(Some(Self {
            visitors,
            agents,
            supervisors,
            nodes,
            links,
            redis,
            postgres,
            kafka,
            brokers,
            name,
        }))
    }

    /// What the nodes that answer say of their roads (`road` of `/health/ready`).
    pub async fn roads(&self) -> Vec<Value> {
        let mut roads = Vec::new();
        for node in &self.nodes {
            if let Ok(answer) = once(node.address, Ask::get("/health/ready")).await {
                roads.push(answer.json["road"].clone());
            }
        }
        roads
    }

    /// Waits until all roads together are as they should be.
    ///
    /// # Errors
    /// When they never are.
    pub async fn waits(&self, good: impl Fn(&[Value]) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + IN_TIME;
        loop {
            let roads = self.roads().await;
            if good(&roads) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{roads:#?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every event is in SQL and the topic, and holds logs, SQL, topic and Redis against each other.
    ///
    /// # Errors
    /// When a dialogue failed, it never settles, or the checker finds something.
    pub async fn is_whole(&self, replayed: &Replayed) -> anyhow::Result<Findings> {
        let said = || self.last_words();
        ensure!(replayed.failed.is_empty(), "{:#?}\n{}", replayed.failed, said());
        self.settles(IN_TIME).await.with_context(said)?;
        let findings = self.found(&replayed.logs, IN_TIME)?;
        ensure!(findings.clean(), "{findings:#?}\n{}", said());
        ensure!(findings.acked >= replayed.messages, "{} acked", findings.acked);
        Ok(findings)
    }

    /// Holds logs, SQL, topic and Redis against each other as they are; the topic has so long to get what SQL has.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn found(&self, logs: &[Log], within: Duration) -> anyhow::Result<Findings> {
        Ok(check_tiers(logs, &block_in_place(|| self.tiers(within))?))
    }

    /// Waits until SQL has every number that was given, and nothing waits to be appended.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn settles(&self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let lacking = block_in_place(|| self.lacking());
            match lacking {
                Ok(lacking) if lacking.is_empty() => return Ok(()),
                lacking => ensure!(Instant::now() < deadline, "SQL never got {lacking:?}"),
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many events are in the partitions' logs: what is not trimmed yet.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub fn logged(&self) -> anyhow::Result<u64> {
        Ok(self.redis.ask(&["EVAL", LOGGED, "0", &format!("{{{}:p*}}:log", self.name)])?.parse()?)
    }

    /// What SQL has not got yet, in words.
    fn lacking(&self) -> anyhow::Result<Vec<String>> {
        let heads = "SELECT conversation || ' ' || head FROM event_heads";
        let has = checker::heads(&self.postgres.ask(heads)?)?;
        let given = read_heads(|words| self.redis.ask(words), &self.name)?;
        let late = given.iter().filter(|(id, head)| has.get(*id).is_none_or(|has| has < *head));
        let mut lacking: Vec<_> = late.map(|(id, head)| format!("seq {head} of {id}")).collect();
        let pending = self.postgres.ask("SELECT count(*) FROM pending")?;
        if pending != "0" {
            lacking.push(format!("{pending} changes whose events are pending"));
        }
        Ok(lacking)
    }

    fn tiers(&self, within: Duration) -> anyhow::Result<Tiers> {
        let redis = |words: &[&str]| self.redis.ask(words);
        let sql = read_sql(|question| self.postgres.ask(question))?;
        let head = |kept: &Vec<checker::Kept>| kept.last().map_or(0, |kept| kept.seq);
        let until = sql.iter().map(|(id, kept)| (id.clone(), head(kept))).collect();
        let topic = |brokers: &String| read_topic(brokers, &self.name, &until, within);
        Ok(Tiers {
            conflicts: self.postgres.ask("SELECT count(*) FROM event_conflicts")?.parse()?,
            topic: self.brokers.as_ref().map(topic).transpose()?,
            redis: read_redis(redis, &self.name)?,
            heads: read_heads(redis, &self.name)?,
            sql,
        })
    }

    /// The ends of the nodes' logs.
    fn last_words(&self) -> String {
        let of = |(number, node): (usize, &Server)| {
            let log = node.log();
            let lines: Vec<_> = log.lines().rev().take(25).collect();
            let lines: Vec<_> = lines.into_iter().rev().collect();
            format!("node {number}:\n{}\n", lines.join("\n"))
        };
        self.nodes.iter().enumerate().map(of).collect()
    }
}

impl Links {
    /// The settings of the node whose links these are.
    fn ways(&self, brokers: Option<&str>) -> Vec<(&'static str, String)> {
        let mut ways = vec![
            ("KEFU__REDIS__URL", format!("redis://{}", self.redis.address)),
            ("KEFU__STORAGE__URL", format!("postgres://kefu@{}/postgres", self.postgres.address)),
        ];
        let through = self.kafka.as_ref().map(|proxy| proxy.address.to_string());
        ways.extend(through.or(brokers.map(str::to_owned)).map(|at| ("KEFU__KAFKA__BROKERS", at)));
        ways
    }
}

/// Each node's links, and the doors of a broker for them.
async fn links(own: bool, redis: u16, postgres: u16) -> anyhow::Result<(Vec<Links>, Vec<Door>)> {
    let (mut links, mut doors) = (Vec::new(), Vec::new());
    for _ in 0..NODES {
        let door = free_port()?;
        let kafka = if own { Some(Proxy::to(local(door)).await?) } else { None };
        if let Some(proxy) = &kafka {
            doors.push(Door { listens: door, told: proxy.address.port() });
        }
        let (redis, postgres) =
            tokio::try_join!(Proxy::to(local(redis)), Proxy::to(local(postgres)))?;
        links.push(Links { redis, postgres, kafka });
    }
    Ok((links, doors))
}

/// The first makes everything, the others join.
async fn nodes(
    setup: Setup,
    links: &[Links],
    brokers: Option<&str>,
) -> anyhow::Result<Vec<Server>> {
    let ways = |node: usize| links[node].ways(brokers);
    let first = Setup { settings: [setup.settings.clone(), ways(0)].concat(), ..setup };
    let first = Server::start(first).await?;
    let (second, third) = (ways(1), ways(2));
    let (second, third) = tokio::try_join!(first.joins_with(&second), first.joins_with(&third))?;
    Ok(vec![first, second, third])
}

/// What all nodes have in common: patience for seconds, not for minutes.
fn setup(name: &str, database: &str) -> Setup {
    let mut setup = Setup { agents: AGENTS, capacity: 200, ..Setup::default() }.unlimited();
    setup.database = Some(database.to_owned());
    for (key, value) in [
        ("KEFU__REDIS__PREFIX", name),
        ("KEFU__KAFKA__TOPIC", name),
        ("KEFU__REDIS__COMMAND_TIMEOUT", "1s"),
        ("KEFU__STORAGE__ACQUIRE_TIMEOUT", "1s"),
        ("KEFU__STORAGE__STATEMENT_TIMEOUT", "2s"),
        ("KEFU__STORAGE__LOCK_TIMEOUT", "1s"),
        ("KEFU__AUTH__LOGIN_PER_MINUTE", "6000"),
        ("KEFU__AUTH__LOGIN_BURST", "1000"),
    ] {
        setup = setup.with(key, value);
    }
    setup
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
