//! `ramp`: the shop opens. On a fresh process visitors come one after another for some seconds, each connects and goes on
//! talking, until the whole rate is reached; open loop, as `ack`. Once cold (no warm-up at start), once warm, by turns.
//!
//! A visitor's first messages are due while it still connects, so what connecting costs a cold process counts too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use kefu_tests::http::{Ask, Connection};
use kefu_tests::server::{Server, Setup};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::ack::{self, Beat, Measured};
use crate::cluster::Place;
use crate::figures::{Figures, histogram, say, ticks_of};
use crate::link;

/// What is measured of each run.
const MEASURED: Duration = Duration::from_secs(10);
/// Between the moment a process says that it is ready and the first visitor.
const BEFORE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Messages per second in all, once everyone is there.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Seconds in which everyone comes; at most 10.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10))]
    ramp: u64,
    /// Visitors, each with a conversation of its own.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    visitors: u64,
    /// Runs of each kind.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    #[command(flatten)]
    place: Place,
}

/// Who will come, and where to.
struct Talk {
    token: String,
    conversation: String,
}

/// What the runs of one kind came to.
struct Kind {
    word: &'static str,
    measured: Measured,
    /// Hundredths of a second of the server's processor time.
    ticks: u64,
    warm_up_ms: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    // A dead process holds its partitions for so long; the fresh one should have them soon.
    let setup = Setup::default().unlimited().with("KEFU__CLUSTER__LEASE", "1s");
    let (setup, _servers) = args.place.setup(setup)?;
    let mut server = Server::start(setup).await?;
    let talks = talks(&server, args.visitors).await?;
    let mut kinds = Vec::new();
    for word in ["cold", "warm"] {
        let measured =
            Measured { sent: 0, acked: 0, errors: 0, latency: histogram()?, lag: histogram()? };
        kinds.push(Kind { word, measured, ticks: 0, warm_up_ms: 0 });
    }
    // One for all runs: what a message is called counts from here, so none is said twice.
    let start = Instant::now();
    let mut figures = Figures::begin("ramp");
    for round in 1..=args.rounds {
        for kind in &mut kinds {
            say(&format!("round {round} of {}: {}", args.rounds, kind.word));
            let at_start = if kind.word == "warm" { "true" } else { "false" };
            server.sets("KEFU__WARMUP__AT_START", at_start);
            server.starts().await?;
            kind.warm_up_ms += warm_up_ms(&server).await?;
            one(&server, &talks, &args, start, kind).await?;
        }
    }
    figures.until_here();
    figures.add("place", args.place.word());
    figures.add("rate", args.rate);
    figures.add("ramp_s", args.ramp);
    figures.add("rounds", args.rounds);
    report(&mut figures, &kinds, args.rounds);
    figures.print()
}

/// Visitors with a conversation each, opened and left.
async fn talks(server: &Server, count: u64) -> anyhow::Result<Vec<Talk>> {
    let mut talks = Vec::new();
    let mut http = Connection::open(server.address).await?;
    for _ in 0..count {
        let token = link::visitor(&mut http).await?;
        let mut link = link::open(server.address, &token, 4096).await?;
        let conversation = link::opens(&mut link).await?;
        talks.push(Talk { token, conversation });
    }
    Ok(talks)
}

/// How long the slowest step of the warm-up took; 0 where there was none.
async fn warm_up_ms(server: &Server) -> anyhow::Result<u64> {
    let ready = server.asks(Ask::get("/health/ready")).await?.ok()?;
    let steps = ready.json["warm_up"]["steps"].as_array().cloned().unwrap_or_default();
    Ok(steps.iter().filter_map(|step| step["ms"].as_u64()).max().unwrap_or_default())
}

/// One run.
async fn one(
    server: &Server,
    talks: &[Talk],
    args: &Args,
    start: Instant,
    kind: &mut Kind,
) -> anyhow::Result<()> {
    let begin = Instant::now() + BEFORE;
    let many = talks.len() as u32;
    let step = Duration::from_nanos(1_000_000_000 * u64::from(many) / args.rate.max(1));
    let ramp = Duration::from_secs(args.ramp);
    let mut coming = JoinSet::new();
    for (talk, number) in talks.iter().zip(0..) {
        let comes = ramp * number / many;
        let count = ((MEASURED - comes).as_nanos() / step.as_nanos().max(1)) as u64;
        let beat = Beat { start, begin: begin + comes, step, count };
        let end = begin + MEASURED + Duration::from_secs(5);
        let (token, conversation) = (talk.token.clone(), talk.conversation.clone());
        coming.spawn(comes_and_talks(server.address, token, conversation, beat, end));
    }
    sleep_until(begin).await;
    let before = ticks_of(server.pid());
    sleep_until(begin + MEASURED).await;
    kind.ticks += ticks_of(server.pid()).saturating_sub(before);
    while let Some(one) = coming.join_next().await {
        let (lag, latency, errors) = one??;
        kind.measured.sent += lag.len();
        kind.measured.acked += latency.len();
        kind.measured.errors += errors;
        kind.measured.latency.add(latency)?;
        kind.measured.lag.add(lag)?;
    }
    Ok(())
}

/// One visitor: connects when it is due and says what is due by then, and so on.
async fn comes_and_talks(
    address: SocketAddr,
    token: String,
    conversation: String,
    beat: Beat,
    end: Instant,
) -> anyhow::Result<(Histogram<u64>, Histogram<u64>, u64)> {
    sleep_until(beat.begin).await;
    let (sink, stream) = ack::split(link::open(address, &token, 4096).await?);
    let sending = kefu::runtime::spawn(ack::sender(Arc::clone(&sink), conversation, beat));
    let receiving = ack::receiver((stream, sink), beat.start, (beat.count, end));
    let (latency, errors) = receiving.await?;
    Ok((sending.await??, latency, errors))
}

fn report(figures: &mut Figures, kinds: &[Kind], rounds: u64) {
    let mut of = Vec::new();
    for Kind { word, measured, ticks, warm_up_ms } in kinds {
        figures.times(&format!("{word}_ack"), "ms", &measured.latency);
        let seconds = *ticks as f64 / 100.0 / rounds as f64;
        figures.add(&format!("{word}_cpu_s"), seconds);
        figures.add(&format!("{word}_warm_up_ms"), warm_up_ms / rounds);
        let lost = measured.sent - measured.acked - measured.errors;
        figures.add(&format!("{word}_lost"), lost);
        if measured.acked < measured.sent {
            figures.void(format!("{word}: {lost} lost, {} refused", measured.errors));
        }
        if measured.lag.value_at_quantile(0.99) > ack::LAG_NS {
            figures.void(format!("{word}: the generator was late"));
        }
        of.push((measured.latency.value_at_quantile(0.99) as f64, seconds));
    }
    if let [(cold, cold_cpu), (warm, warm_cpu)] = of[..] {
        let ratio = |a: f64, b: f64| (a / b.max(f64::MIN_POSITIVE) * 100.0).round() / 100.0;
        figures.add("warm_to_cold_p99", ratio(warm, cold));
        figures.add("warm_to_cold_cpu", ratio(warm_cpu, cold_cpu));
    }
}
