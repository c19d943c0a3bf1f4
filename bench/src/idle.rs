//! `idle`: user-space memory per idle WebSocket, all session state included — the growth of the server's anonymous
//! memory from a warm start, divided by the connections. Its allocator gives back at once what is freed: what compiling
//! plugins took at the start would otherwise be used up by the first connections and hide their cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use kefu_tests::http::Connection;
use kefu_tests::server::{Server, Setup};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::cluster::Place;
use crate::figures::{Figures, say};
use crate::link::{self, Link};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// WebSockets, each of a visitor of its own.
    #[arg(long, default_value_t = 19_000)]
    connections: usize,
    /// Connecting at the same time.
    #[arg(long, default_value_t = 32)]
    at_once: usize,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let setup = Setup { wide: true, ..Setup::default() }.unlimited();
    let (setup, _servers) = args.place.setup(setup.with("MIMALLOC_PURGE_DELAY", "0"))?;
    let server = Server::start(setup).await?;
    let pid = server.pid().context("no server")?;
    let held = Arc::new(AtomicUsize::new(0));
    let mut idle = JoinSet::new();
    let warm = 200.min(args.connections / 2);
    connect(&server, 0..warm, &args, &held, &mut idle).await?;
    let before = settled(pid).await?;
    let mut figures = Figures::begin("idle");
    let count = args.connections - warm;
    connect(&server, warm..args.connections, &args, &held, &mut idle).await?;
    // One heartbeat, so that every connection has been through its whole quiet life once.
    tokio::time::sleep(Duration::from_secs(25)).await;
    let after = anon_bytes(pid)?;
    let alive = held.load(Ordering::Relaxed);
    figures.add("place", args.place.word());
    figures.add("connections", alive);
    figures.add("rss_anon_before_bytes", before);
    figures.add("rss_anon_after_bytes", after);
    figures.add("user_bytes_per_connection", after.saturating_sub(before) / count.max(1) as u64);
    if after <= before {
        figures.void("the server holds less than before");
    }
    if alive < args.connections {
        figures.void(format!("{} connections were lost", args.connections - alive));
    }
    figures.print()
}

async fn connect(
    server: &Server,
    numbers: std::ops::Range<usize>,
    args: &Args,
    held: &Arc<AtomicUsize>,
    idle: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let mut lanes = JoinSet::new();
    for lane in 0..args.at_once {
        let numbers: Vec<_> = numbers.clone().skip(lane).step_by(args.at_once).collect();
        let address = server.address;
        lanes.spawn(async move {
            let mut links = Vec::new();
            let mut http = Connection::open(address).await?;
            for number in numbers {
                let token = link::visitor(&mut http).await?;
                links.push(link::open(link::rotated(address, number), &token, 256).await?);
            }
            anyhow::Ok(links)
        });
    }
    while let Some(links) = lanes.join_next().await {
        for link in links?? {
            held.fetch_add(1, Ordering::Relaxed);
            idle.spawn(hold(link, Arc::clone(held)));
        }
        say(&format!("{} connected", held.load(Ordering::Relaxed)));
    }
    Ok(())
}

/// Answers pings until the connection ends.
pub(crate) async fn hold(mut link: Link, held: Arc<AtomicUsize>) {
    while let Some(Ok(message)) = link.next().await {
        let ping = matches!(&message, Message::Text(text) if text.contains("\"ping\""));
        if ping && link.send(Message::Text(link::PONG.into())).await.is_err() {
            break;
        }
    }
    held.fetch_sub(1, Ordering::Relaxed);
}

/// The anonymous memory of a process once it has not changed for five seconds, or after a minute.
async fn settled(pid: u32) -> anyhow::Result<u64> {
    let mut last = (anon_bytes(pid)?, 0);
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = anon_bytes(pid)?;
        last = (now, if now == last.0 { last.1 + 1 } else { 0 });
        if last.1 == 5 {
            break;
        }
    }
    Ok(last.0)
}

/// Anonymous resident memory of a process.
fn anon_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()).context("no RssAnon")?;
    Ok(number.parse::<u64>()? * 1024)
}
