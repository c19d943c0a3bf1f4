//! Figures: what is counted as things happen (`Meters`) and what is read when someone asks (`Live`), all named in one
//! table, from which docs/METRICS.md is made. No label is chosen by a client: each has a bounded set
//! of values.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use super::process;

/// What is known of a figure before it has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figure {
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
}

const fn figure(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Figure {
    Figure { name, kind, labels, help }
}

const EVENTS: Figure = figure(
    "kefu_events_total",
    "counter",
    &["duplicate"],
    "Events made durable; duplicate: the key had been seen.",
);
const APPEND_FAILURES: Figure =
    figure("kefu_append_failures_total", "counter", &[], "Appends refused or unanswered.");
const APPEND_TIME: Figure = figure(
    "kefu_append_duration_seconds",
    "histogram",
    &[],
    "From asking for an append to the durable point, the wait for the group commit included.",
);
const ACK_TIME: Figure = figure(
    "kefu_ack_duration_seconds",
    "histogram",
    &[],
    "From a decoded draft to its ack: checks, filter and append.",
);
const FRAME_REFUSALS: Figure = figure(
    "kefu_frame_refusals_total",
    "counter",
    &["code"],
    "Frames answered by an error, by its code; rate_limited are those sent too fast.",
);
const HTTP_REQUESTS: Figure = figure(
    "kefu_http_requests_total",
    "counter",
    &["method", "route", "status"],
    "Answered HTTP requests by route template; status 429 are those refused for their rate.",
);
const HTTP_TIME: Figure = figure(
    "kefu_http_request_duration_seconds",
    "histogram",
    &["route"],
    "From the request to the head of its answer; parked polls (/v1/events) are left out.",
);

/// Read when someone asks, in this order.
const LIVE: [Figure; 28] = [
    figure("kefu_build_info", "gauge", &["version"], "1; the version is in the label."),
    figure(
        "kefu_sessions",
        "gauge",
        &["carrier"],
        "Sessions now, by carrier (websocket, longpoll).",
    ),
    figure("kefu_slow_readers_total", "counter", &[], "Readers cut for being slow."),
    figure("kefu_idle_sessions_total", "counter", &[], "Sessions ended for silence."),
    figure("kefu_heals_total", "counter", &[], "Gaps healed by reading the stream."),
    figure(
        "kefu_heal_failures_total",
        "counter",
        &[],
        "Reads to heal a gap that gave nothing: the stream was away, or an announced event is not \
         there.",
    ),
    figure(
        "kefu_waiting_conversations",
        "gauge",
        &["team"],
        "Conversations in a team's queue; team is its id.",
    ),
    figure("kefu_active_conversations", "gauge", &[], "Conversations an agent has."),
    figure(
        "kefu_present_agents",
        "gauge",
        &["status"],
        "Agents with a live session, by what they say of themselves.",
    ),
    figure(
        "kefu_plugin_calls_total",
        "counter",
        &["point", "plugin", "generation", "outcome"],
        "Decisions asked of a point, by how the call ended; absent: no plugin served there, so none \
         is named. Of each point the 32 generations that began to serve last since the start, one \
         that serves again counts on.",
    ),
    figure(
        "kefu_plugin_fuel_total",
        "counter",
        &["point", "plugin", "generation"],
        "Fuel used by a plugin's generation.",
    ),
    figure(
        "kefu_plugin_call_duration_seconds",
        "histogram",
        &["point", "plugin", "generation"],
        "Time in a plugin's generation.",
    ),
    figure(
        "kefu_partitions",
        "gauge",
        &["mode"],
        "Partitions whose events this node moves on: direct (to Kafka), spool (Kafka is away), none (no journal).",
    ),
    figure(
        "kefu_partition_turns_total",
        "counter",
        &[],
        "Changes between direct and spool, of the partitions this node has.",
    ),
    figure("kefu_journal_in_flight", "gauge", &[], "Records on their way to Kafka."),
    figure("kefu_spool_bytes", "gauge", &[], "Bytes on this node's disk that Kafka has not got."),
    figure("kefu_spool_full", "gauge", &[], "1: the spool refuses, and events wait in the stream."),
    figure("kefu_archive_waiting", "gauge", &[], "Events read and not yet written to SQL."),
    figure(
        "kefu_archive_lag_seconds",
        "gauge",
        &[],
        "Age of the oldest event that SQL has not got, of the partitions this node has.",
    ),
    figure(
        "kefu_outage",
        "gauge",
        &["part"],
        "1: this node has to do without: stream (Redis), storage (rows), journal (Kafka), spool (full), archive (SQL is \
         a minute behind).",
    ),
    figure("kefu_warmup_good", "gauge", &["step"], "1: the step of the last warm-up went well."),
    figure(
        "kefu_warmup_seconds",
        "gauge",
        &["step"],
        "How long the step of the last warm-up took.",
    ),
    figure("kefu_warmup_age_seconds", "gauge", &[], "Time since the last warm-up."),
    figure("process_resident_memory_bytes", "gauge", &[], "Memory in use (RSS)."),
    figure("process_open_fds", "gauge", &[], "Open files, sockets included."),
    figure("process_max_fds", "gauge", &[], "Most files that may be open."),
    figure("process_cpu_seconds_total", "counter", &[], "Processor time used."),
    figure("process_threads", "gauge", &[], "Threads."),
];

/// Bounds of the histograms' buckets, seconds.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

/// Figures that are counted as things happen.
pub struct Meters {
    registry: Registry,
    known: Vec<Figure>,
    /// Events made durable, by whether the key had been seen.
    pub appends: IntCounterVec,
    /// Appends refused or lost.
    pub append_failures: IntCounter,
    /// From the request to the durable point, seconds.
    pub append_seconds: Histogram,
    /// From a draft to its ack, seconds.
    pub ack_seconds: Histogram,
    /// Frames answered by an error, by code.
    pub frame_refusals: IntCounterVec,
    /// Answered HTTP requests by method, route and status.
    pub http_requests: IntCounterVec,
    /// How long they took, by route.
    pub http_seconds: HistogramVec,
}

impl Meters {
    /// All at zero.
    ///
    /// # Errors
    /// When two figures have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let mut making = Making { registry: Registry::new(), known: Vec::new() };
        let (appends, append_failures) =
            (making.counters(EVENTS)?, making.counter(APPEND_FAILURES)?);
        let (append_seconds, ack_seconds) = (making.times(APPEND_TIME)?, making.times(ACK_TIME)?);
        let frame_refusals = making.counters(FRAME_REFUSALS)?;
        let http_requests = making.counters(HTTP_REQUESTS)?;
        let http_seconds = making.times_by(HTTP_TIME)?;
        let Making { registry, known } = making;
        Ok(Self {
            registry,
            known,
            appends,
            append_failures,
            append_seconds,
            ack_seconds,
            frame_refusals,
            http_requests,
            http_seconds,
        })
    }

    /// The counted figures, the given live ones and the process's own, in the text format of Prometheus.
    #[must_use]
    pub fn text(&self, mut live: Vec<Live>) -> String {
        let mut text =
            TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default();
        live.extend(process::figures());
        for Figure { name, kind, help, .. } in LIVE {
            let mut samples = live.iter().filter(|live| live.name == name).peekable();
            if samples.peek().is_some() {
                text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
            }
            samples.for_each(|sample| sample.write(&mut text));
        }
        text
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

/// Makes and registers figures.
struct Making {
    registry: Registry,
    known: Vec<Figure>,
}

impl Making {
    fn counter(&mut self, figure: Figure) -> Result<IntCounter, prometheus::Error> {
        let made = IntCounter::new(figure.name, figure.help)?;
        self.keep(figure, Box::new(made.clone())).map(|()| made)
    }

    fn counters(&mut self, figure: Figure) -> Result<IntCounterVec, prometheus::Error> {
        let made = IntCounterVec::new(Opts::new(figure.name, figure.help), figure.labels)?;
        self.keep(figure, Box::new(made.clone())).map(|()| made)
    }

    fn times(&mut self, figure: Figure) -> Result<Histogram, prometheus::Error> {
        let made = Histogram::with_opts(bounded(figure))?;
        self.keep(figure, Box::new(made.clone())).map(|()| made)
    }

    fn times_by(&mut self, figure: Figure) -> Result<HistogramVec, prometheus::Error> {
        let made = HistogramVec::new(bounded(figure), figure.labels)?;
        self.keep(figure, Box::new(made.clone())).map(|()| made)
    }

    fn keep(
        &mut self,
        figure: Figure,
        made: Box<dyn prometheus::core::Collector>,
    ) -> Result<(), prometheus::Error> {
        self.known.push(figure);
        self.registry.register(made)
    }
}

fn bounded(figure: Figure) -> HistogramOpts {
    HistogramOpts::new(figure.name, figure.help).buckets(BUCKETS.to_vec())
}

/// A figure read at the moment someone asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Its name, one of the table.
    name: &'static str,
    /// What follows the name: nothing, or `_bucket`, `_sum`, `_count` of a histogram.
    part: &'static str,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

impl Live {
    /// One value.
    #[must_use]
    pub fn new(name: &'static str, value: f64) -> Self {
        Self { name, part: "", labels: Vec::new(), value }
    }

    /// With a label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }

    /// A histogram: counts up to each bound (seconds), the sum, and the whole count.
    #[must_use]
    pub fn histogram(
        name: &'static str,
        buckets: &[(f64, u64)],
        sum: f64,
        count: u64,
    ) -> Vec<Self> {
        let part = |part, value| Self { part, ..Self::new(name, value) };
        let bound = |bound: String, count: u64| part("_bucket", count as f64).with("le", bound);
        let mut all: Vec<_> =
            buckets.iter().map(|(le, count)| bound(le.to_string(), *count)).collect();
        all.push(bound("+Inf".into(), count));
        all.push(part("_sum", sum));
        all.push(part("_count", count as f64));
        all
    }

    fn write(&self, text: &mut String) {
        let Self { name, part, labels, value } = self;
        let label = |(key, value): &(&str, String)| format!("{key}=\"{}\"", escaped(value));
        let labels: Vec<_> = labels.iter().map(label).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        text.push_str(&format!("{name}{part}{labels} {value}\n"));
    }
}

/// A label's value as the text format wants it. A plugin's name may hold anything.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// docs/METRICS.md.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "# Figures\n\nMade by `cargo xtask generate` from `host/src/telemetry/figures.rs`; a test fails when it is \
         stale. `GET /metrics` gives them\nin the text format of Prometheus, from this machine or to an admin. A unit \
         stands at the end of a name: seconds, bytes; others are counts.\n\n\
         | name | type | unit | labels | meaning |\n|---|---|---|---|---|\n",
    );
    let known = Meters::new().map(|meters| meters.known).unwrap_or_default();
    for Figure { name, kind, labels, help } in known.into_iter().chain(LIVE) {
        let bare = name.trim_end_matches("_total");
        let unit = ["seconds", "bytes"].into_iter().find(|unit| bare.ends_with(unit)).unwrap_or("");
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        text.push_str(&format!("| `{name}` | {kind} | {unit} | {} | {help} |\n", labels.join(" ")));
    }
    text
}
