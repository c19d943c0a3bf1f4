//! `road`: the whole road, open loop — visitors speak, agents hear them, and behind them events move from Redis over Kafka
//! to PostgreSQL. Sustained is the rate at which SQL gets rows, and only if the backlog does not grow meanwhile.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use kefu_tests::server::{Server, Setup};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::ack::{self, Amount};
use crate::cluster::{Servers, Shape};
use crate::figures::{Figures, histogram, spent};
use crate::link::{self, Link};

/// Agents, each with an equal share of the conversations.
const AGENTS: u16 = 10;
/// The first seconds, in which connections and caches get warm, do not count for the backlog.
const WARM: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    shape: Shape,
    /// Further nodes to which nobody is connected: what they cost is the price of hearing what others append.
    #[arg(long, default_value_t = 0)]
    bystanders: u16,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let servers = Servers::start(&args.shape)?;
    let Amount { rate, visitors, .. } = args.amount;
    let (server, agents, links) = talks(&servers, visitors).await?;
    let mut bystanders = Vec::new();
    for _ in 0..args.bystanders {
        bystanders.push(server.joins().await?);
    }
    let begun = servers.archived()?;
    let held = servers.bytes()?;
    let pace = args.amount.soon();
    let end = pace.start + pace.lasting;
    let mut listening = JoinSet::new();
    for agent in agents {
        listening.spawn(hears(agent, pace.start, end + Duration::from_secs(5)));
    }
    let mut figures = Figures::begin("road");
    let stages = Stages::now();
    let load = kefu::runtime::spawn(ack::load(links, pace));
    let seen = |at: Instant, sofar: u64| {
        let sent = rate * (at - pace.start).as_millis() as u64 / 1000;
        (at, sofar - begun, sent.saturating_sub(sofar - begun))
    };
    sleep_until(pace.start + WARM).await;
    let warm = seen(Instant::now(), servers.archived()?);
    sleep_until(end).await;
    let last = seen(Instant::now(), servers.archived()?);
    let spent = stages.since();
    figures.until_here();
    let measured = load.await??;
    let mut delivered = histogram()?;
    while let Some(one) = listening.join_next().await {
        delivered.add(one??)?;
    }
    figures.add("rate", rate);
    figures.add("appendfsync", args.shape.appendfsync.as_str());
    figures.add("journal", if servers.kafka.is_some() { "kafka" } else { "none" });
    figures.add("nodes", 1 + bystanders.len());
    ack::report(&mut figures, "ack", &measured);
    figures.times("deliver", "ms", &delivered);
    figures.add("heard", delivered.len());
    let sustained = (last.1 - warm.1) as f64 / (last.0 - warm.0).as_secs_f64();
    figures.add("sustained_msg_per_s", sustained.round());
    figures.add("backlog_warm", warm.2);
    figures.add("backlog_end", last.2);
    for (stage, ticks) in spent {
        figures.per_message(stage, ticks, measured.acked);
    }
    for ((stage, now), (_, then)) in servers.bytes()?.into_iter().zip(held) {
        let each = now.saturating_sub(then) / measured.acked.max(1);
        figures.add(&format!("{stage}_bytes_per_msg"), each);
    }
    if delivered.len() < measured.acked {
        figures.void("not everything was heard");
    }
    if last.2 > warm.2 + rate {
        figures.void("the backlog grew by more than a second's messages");
    }
    drop(server);
    figures.print()
}

type Talks = (Server, Vec<Link>, Vec<(Link, String)>);

/// A server, its agents, and visitors who each have been given to one of them.
pub(crate) async fn talks(servers: &Servers, visitors: u64) -> anyhow::Result<Talks> {
    let share = visitors.div_ceil(u64::from(AGENTS)).try_into()?;
    let setup = Setup { agents: AGENTS, capacity: share, ..Setup::default() }.unlimited();
    let server = Server::start(servers.setup(setup)).await?;
    let mut agents = Vec::new();
    for number in 1..=AGENTS {
        let token = server.agent_token(&format!("agent{number}")).await?;
        let mut agent = link::open(server.address, &token, 16 << 10).await?;
        link::send(&mut agent, &json!({ "type": "status", "status": "online" })).await?;
        link::hears(&mut agent, "me").await?;
        agents.push(agent);
    }
    let mut links = ack::links(&server, visitors).await?;
    for (link, _) in &mut links {
        while link::hears(link, "event").await?["event"]["type"] != "assigned" {}
    }
    Ok((server, agents, links))
}

/// What an agent hears, until the end: the time since each message was meant to leave.
pub(crate) async fn hears(
    mut agent: Link,
    start: Instant,
    end: Instant,
) -> anyhow::Result<Histogram<u64>> {
    let mut latency = histogram()?;
    while let Ok(Some(message)) = timeout_at(end, agent.next()).await {
        let Message::Text(text) = message? else { continue };
        if let Some(after) = intended(&text) {
            let nanos = (start + Duration::from_micros(after)).elapsed().as_nanos();
            latency.saturating_record(nanos as u64);
        } else if link::field(&text, "type") == Some("ping") {
            agent.send(Message::Text(link::PONG.into())).await?;
        }
    }
    Ok(latency)
}

/// When a message was meant to leave, in microseconds after the start.
fn intended(text: &Utf8Bytes) -> Option<u64> {
    let after = link::field(text, "text")?.strip_prefix('@')?;
    after.split(' ').next()?.parse().ok()
}

/// Processor time of every program on the road, by the name of its processes.
struct Stages(Vec<(&'static str, u64)>);

impl Stages {
    fn now() -> Self {
        let programs = [
            ("kefu", "kefu"),
            ("redis", "redis-server"),
            ("kafka", "java"),
            ("postgres", "postgres"),
            ("generator", "kefu-bench"),
        ];
        Self(programs.map(|(stage, program)| (stage, ticks(program))).into())
    }

    /// Hundredths of a second spent since, per stage.
    fn since(&self) -> Vec<(&'static str, u64)> {
        let now = Self::now().0.into_iter().zip(&self.0);
        now.map(|((stage, now), (_, then))| (stage, now.saturating_sub(*then))).collect()
    }
}

/// User and system time of all processes of a name, in ticks of 10 ms.
fn ticks(program: &str) -> u64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = processes.filter_map(|process| spent(&process.path()));
    all.filter(|(name, _)| name == program).map(|(_, ticks)| ticks).sum()
}
