//! `drain`: PostgreSQL is away while people go on talking; when it is back, how fast it gets what it missed.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ack::{self, Pace};
use crate::cluster::{Servers, Shape};
use crate::figures::{Figures, say};
use crate::road;

/// Longest a drain may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Messages per second during the outage.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Seconds without PostgreSQL.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Visitors, each in a conversation with an agent.
    #[arg(long, default_value_t = 100)]
    visitors: u64,
    #[command(flatten)]
    shape: Shape,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut servers = Servers::start(&args.shape)?;
    let (server, agents, links) = road::talks(&servers, args.visitors).await?;
    let begun = servers.archived()?;
    say("PostgreSQL is killed");
    servers.postgres.kill();
    let mut figures = Figures::begin("drain");
    let lasting = Duration::from_secs(args.seconds);
    let pace =
        Pace { start: Instant::now() + Duration::from_millis(200), rate: args.rate, lasting };
    let mut listening = JoinSet::new();
    for agent in agents {
        listening.spawn(road::hears(agent, pace.start, pace.start + lasting));
    }
    let measured = ack::load(links, pace).await?;
    say("PostgreSQL is started");
    servers.postgres.restart()?;
    let first = servers.archived()?;
    let back = Instant::now();
    let all = begun + measured.acked;
    let mut have = first;
    while have < all && back.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
        have = servers.archived()?;
    }
    let seconds = back.elapsed().as_secs_f64();
    figures.until_here();
    figures.add("rate", args.rate);
    figures.add("journal", if servers.kafka.is_some() { "kafka" } else { "none" });
    ack::report(&mut figures, "ack", &measured);
    figures.add("drained", have - first);
    figures.add("missing", all.saturating_sub(have));
    figures.add("drain_seconds", (seconds * 10.0).round() / 10.0);
    figures.add("drain_msg_per_s", ((have - first) as f64 / seconds).round());
    if have < all {
        figures.void("not everything reached SQL");
    }
    drop(server);
    figures.print()
}
