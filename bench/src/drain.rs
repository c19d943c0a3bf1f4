//! `drain`: PostgreSQL is away while people go on talking; when it is back, how fast it gets what it missed.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ack::{self, Amount};
use crate::cluster::{Servers, Shape};
use crate::figures::{Figures, say};
use crate::road;

/// Longest a drain may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is said during the outage.
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    shape: Shape,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut servers = Servers::start(&args.shape)?;
    let (server, agents, links) = road::talks(&servers, args.amount.visitors).await?;
    let begun = servers.archived()?;
    say("PostgreSQL is killed");
    servers.postgres.kill();
    let mut figures = Figures::begin("drain");
    let pace = args.amount.soon();
    let mut listening = JoinSet::new();
    for agent in agents {
        listening.spawn(road::hears(agent, pace.start, pace.start + pace.lasting));
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
    figures.add("rate", args.amount.rate);
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
