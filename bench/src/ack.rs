//! `ack`: durable send to ack, open loop. Messages leave at intended times whatever comes back, latency counts from the
//! intended time, and a run whose generator was late is void.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use kefu_tests::http::Connection;
use kefu_tests::server::{Server, Setup};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use crate::cluster::Place;
use crate::figures::{Figures, histogram, ticks_of};
use crate::link::{self, Link};
use crate::timer::sleep_until;

/// Latest the 99th percentile of messages may leave.
pub(crate) const LAG_NS: u64 = 3_000_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    place: Place,
}

/// How much is said.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Amount {
    /// Messages per second in all.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rate: u64,
    /// Seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Visitors, each with a conversation of its own.
    #[arg(long, default_value_t = 100)]
    pub(crate) visitors: u64,
}

impl Amount {
    /// As a pace that begins in a moment.
    pub(crate) fn soon(self) -> Pace {
        Pace::soon(self.rate, Duration::from_secs(self.seconds))
    }
}

/// When and how fast messages leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Intended times count from here.
    pub(crate) start: Instant,
    /// Messages per second in all.
    pub(crate) rate: u64,
    /// For so long.
    pub(crate) lasting: Duration,
}

impl Pace {
    /// Begins in a moment.
    pub(crate) fn soon(rate: u64, lasting: Duration) -> Self {
        Self { start: Instant::now() + Duration::from_millis(200), rate, lasting }
    }
}

/// What was measured.
pub(crate) struct Measured {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) errors: u64,
    pub(crate) latency: Histogram<u64>,
    pub(crate) lag: Histogram<u64>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let (setup, _servers) = args.place.setup(Setup::default().unlimited())?;
    let server = Server::start(setup).await?;
    let links = links(&server, args.amount.visitors).await?;
    let mut figures = Figures::begin("ack");
    let before = ticks_of(server.pid());
    let measured = load(links, args.amount.soon()).await?;
    let ticks = ticks_of(server.pid()).saturating_sub(before);
    figures.until_here();
    figures.add("place", args.place.word());
    figures.add("rate", args.amount.rate);
    report(&mut figures, "ack", &measured);
    figures.per_message("kefu", ticks, measured.acked);
    figures.print()
}

/// Adds latency, lag and loss, and whether they mean anything.
pub(crate) fn report(figures: &mut Figures, name: &str, measured: &Measured) {
    figures.add("sent", measured.sent);
    figures.add("errors", measured.errors);
    figures.add("lost", measured.sent - measured.acked - measured.errors);
    figures.times(name, "ms", &measured.latency);
    figures.times("generator_lag", "ms", &measured.lag);
    if measured.acked < measured.sent {
        figures.void("not everything was acknowledged");
    }
    if measured.lag.value_at_quantile(0.99) > LAG_NS {
        figures.void("the generator was late");
    }
}

/// Visitors with a conversation each.
pub(crate) async fn links(server: &Server, count: u64) -> anyhow::Result<Vec<(Link, String)>> {
    let mut links = Vec::new();
    let mut http = Connection::open(server.address).await?;
    for _ in 0..count {
        let token = link::visitor(&mut http).await?;
        let mut link = link::open(server.address, &token, 4096).await?;
        let conversation = link::opens(&mut link).await?;
        links.push((link, conversation));
    }
    Ok(links)
}

/// Sends `rate` messages a second over all links for a while.
pub(crate) async fn load(
    links: Vec<(Link, String)>,
    Pace { start, rate, lasting }: Pace,
) -> anyhow::Result<Measured> {
    let step = Duration::from_nanos(1_000_000_000 * links.len() as u64 / rate.max(1));
    let each = (lasting.as_nanos() / step.as_nanos().max(1)) as u64;
    let mut running = JoinSet::new();
    let all = links.len() as u32;
    for ((link, conversation), number) in links.into_iter().zip(0..) {
        let (sink, stream) = split(link);
        let begin = start + step * number / all;
        let end = begin + lasting + Duration::from_secs(5);
        let beat = Beat { start, begin, step, count: each };
        let sending = sender(Arc::clone(&sink), conversation, beat);
        let receiving = receiver((stream, sink), start, (each, end));
        running.spawn(async move {
            let sending = kefu::runtime::spawn(sending);
            let received = receiving.await?;
            anyhow::Ok((sending.await??, received))
        });
    }
    let mut out =
        Measured { sent: 0, acked: 0, errors: 0, latency: histogram()?, lag: histogram()? };
    while let Some(one) = running.join_next().await {
        let (lag, (latency, errors)) = one??;
        out.sent += lag.len();
        out.acked += latency.len();
        out.errors += errors;
        out.latency.add(latency)?;
        out.lag.add(lag)?;
    }
    Ok(out)
}

/// When the messages of one visitor are due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat {
    /// What they are called counts from here.
    pub(crate) start: Instant,
    /// The first.
    pub(crate) begin: Instant,
    /// Between two.
    pub(crate) step: Duration,
    /// How many.
    pub(crate) count: u64,
}

/// What is sent on a link, by the sender at its times and by the receiver when it is asked whether it is there.
pub(crate) type Sink = Arc<Mutex<SplitSink<Link, Message>>>;

/// Both directions of a link.
pub(crate) fn split(link: Link) -> (Sink, SplitStream<Link>) {
    let (sink, stream) = link.split();
    (Arc::new(Mutex::new(sink)), stream)
}

/// Sends at the intended times; what was due before it was called is not late by its fault. The key says which it was,
/// in nanoseconds after the start, and the text in microseconds: thirteen thousand million of anything is a telephone number to
/// the shipped filter.
pub(crate) async fn sender(
    sink: Sink,
    conversation: String,
    Beat { start, begin, step, count }: Beat,
) -> anyhow::Result<Histogram<u64>> {
    let called = Instant::now();
    let mut lag = histogram()?;
    let mut next = 0;
    while next < count {
        let intended = begin + step * next as u32;
        sleep_until(intended).await;
        let mut sink = sink.lock().await;
        let now = Instant::now();
        // All that is due leaves in one write, each with its own intended time.
        while next < count && begin + step * next as u32 <= now {
            let intended = begin + step * next as u32;
            lag.saturating_record((now - intended.max(called)).as_nanos() as u64);
            let after = intended - start;
            let (nanos, micros) = (after.as_nanos(), after.as_micros());
            let frame = format!(
                "{{\"type\":\"send\",\"conversation\":\"{conversation}\",\"key\":\"{nanos:018}\",\
                 \"text\":\"@{micros} a line of about one hundred bytes as people write them when \
                 they ask something\"}}"
            );
            sink.feed(Message::Text(frame.into())).await?;
            next += 1;
        }
        sink.flush().await?;
    }
    Ok(lag)
}

/// Counts acks until all are there or the time is over, and answers pings: whoever does not is cut, and that is no loss
/// of the server's. Where the sender has the sink it is speaking, which says as much as an answer.
pub(crate) async fn receiver(
    (mut stream, sink): (SplitStream<Link>, Sink),
    start: Instant,
    (count, end): (u64, Instant),
) -> anyhow::Result<(Histogram<u64>, u64)> {
    let mut latency = histogram()?;
    let mut errors = 0;
    while latency.len() + errors < count {
        let Ok(Some(message)) = timeout_at(end, stream.next()).await else { break };
        let Message::Text(text) = message? else { continue };
        match link::field(&text, "type") {
            Some("ack") => {
                let after = link::field(&text, "key").and_then(|key| key.parse().ok());
                let intended = start + Duration::from_nanos(after.unwrap_or_default());
                latency.saturating_record(intended.elapsed().as_nanos() as u64);
            }
            Some("error") => errors += 1,
            Some("ping") => {
                if let Ok(mut sink) = sink.try_lock() {
                    sink.send(Message::Text(link::PONG.into())).await?;
                }
            }
            _ => {}
        }
    }
    Ok((latency, errors))
}
