//! Telemetry: log lines and figures. The only place that knows how either is written.

use std::io::IsTerminal;

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::config::{LogFormat, Telemetry};

/// Starts logging to stderr. A second call in one process (tests) changes nothing.
pub fn init(config: &Telemetry) {
    use tracing_subscriber::EnvFilter;
    let filter = config.log.parse::<EnvFilter>().unwrap_or_default();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let begun = match config.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    drop(begun);
}

/// Figures that are counted as things happen.
pub struct Meters {
    registry: Registry,
    /// Events made durable, by whether the key had been seen.
    pub appends: IntCounterVec,
    /// Appends refused or lost.
    pub append_failures: IntCounter,
    /// From the request to the durable point, seconds.
    pub append_seconds: Histogram,
}

impl Meters {
    /// All at zero.
    ///
    /// # Errors
    /// When two figures have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let appends = IntCounterVec::new(
            Opts::new("kefu_events_total", "events made durable; duplicate: the key had been seen"),
            &["duplicate"],
        )?;
        let append_failures =
            IntCounter::new("kefu_append_failures_total", "appends refused or unanswered")?;
        let buckets = vec![0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];
        let append_seconds = Histogram::with_opts(
            HistogramOpts::new("kefu_append_seconds", "from the request to the durable point")
                .buckets(buckets),
        )?;
        registry.register(Box::new(appends.clone()))?;
        registry.register(Box::new(append_failures.clone()))?;
        registry.register(Box::new(append_seconds.clone()))?;
        Ok(Self { registry, appends, append_failures, append_seconds })
    }

    /// The counted figures and the given live ones, in the text format of Prometheus.
    #[must_use]
    pub fn text(&self, live: &[Live]) -> String {
        let mut text =
            TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default();
        for Live { name, help, kind, value } in live {
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"));
        }
        text
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

/// A figure read at the moment someone asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Live {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// `gauge` or `counter`.
    pub kind: &'static str,
    /// Its value.
    pub value: u64,
}
