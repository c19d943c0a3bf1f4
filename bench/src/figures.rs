//! What every run measures beside its own figures — the machine's idle and stolen share, a disk and a processor probe —
//! and how all of it is printed.

use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// A run's figures, in the order they were added.
pub(crate) struct Figures {
    name: &'static str,
    values: Vec<(String, Value)>,
    begun: Ticks,
    void: Vec<String>,
}

impl Figures {
    /// Begins a run.
    pub(crate) fn begin(name: &'static str) -> Self {
        Self { name, values: Vec::new(), begun: Ticks::now(), void: Vec::new() }
    }

    /// Takes the idle share now: what follows does not count.
    pub(crate) fn until_here(&mut self) {
        let now = Ticks::now();
        let all = (now.all - self.begun.all).max(1) as f64;
        let percent = |ticks: u64| round(100.0 * ticks as f64 / all);
        let (idle, stolen) = (now.idle - self.begun.idle, now.stolen - self.begun.stolen);
        self.add("cpu_idle_percent", percent(idle));
        self.add("cpu_stolen_percent", percent(stolen));
    }

    /// Adds a figure.
    pub(crate) fn add(&mut self, key: &str, value: impl Into<Value>) {
        self.values.push((key.to_owned(), value.into()));
    }

    /// Adds `key_p50_unit`, `key_p99_unit` and `key_max_unit` of nanoseconds.
    pub(crate) fn times(&mut self, key: &str, unit: &str, nanos: &Histogram<u64>) {
        let divisor = if unit == "ms" { 1e6 } else { 1e3 };
        let prefix = if key.is_empty() { String::new() } else { format!("{key}_") };
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let value = nanos.value_at_quantile(quantile) as f64 / divisor;
            self.add(&format!("{prefix}{name}_{unit}"), round(value));
        }
    }

    /// Adds `program_cpu_us_per_msg` of ticks of 10 ms.
    pub(crate) fn per_message(&mut self, program: &str, ticks: u64, messages: u64) {
        let micros = ticks as f64 * 10_000.0 / messages.max(1) as f64;
        self.add(&format!("{program}_cpu_us_per_msg"), (micros * 10.0).round() / 10.0);
    }

    /// The run proves nothing, because.
    pub(crate) fn void(&mut self, why: impl Into<String>) {
        self.void.push(why.into());
    }

    /// Prints the table and the JSON line.
    ///
    /// # Errors
    /// When the run is void, so that the program says so with its exit code too.
    pub(crate) fn print(mut self) -> anyhow::Result<()> {
        if !self.values.iter().any(|(key, _)| key == "cpu_idle_percent") {
            self.until_here();
        }
        self.add("fsync_p50_us", fsync_p50_us()?);
        self.add("spin_p50_us", spin_p50_us()?);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{}", self.name)?;
        for (key, value) in &self.values {
            writeln!(out, "  {key:<32} {value}")?;
        }
        for why in &self.void {
            writeln!(out, "  VOID: {why}")?;
        }
        let mut object = Map::from_iter([("name".to_owned(), json!(self.name))]);
        object.extend(self.values);
        object.insert("void".to_owned(), json!(!self.void.is_empty()));
        writeln!(out, "{}", Value::Object(object))?;
        anyhow::ensure!(self.void.is_empty(), "void: {}", self.void.join("; "));
        Ok(())
    }
}

/// Says something while a run goes on.
pub(crate) fn say(text: &str) {
    // A closed terminal is no reason to stop measuring.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A histogram of nanoseconds up to a minute.
pub(crate) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Ticks of all processors so far, from `/proc/stat` (proc(5)).
struct Ticks {
    idle: u64,
    /// What a virtual machine's host gave to others.
    stolen: u64,
    all: u64,
}

impl Ticks {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
        let nth = |n: usize| ticks.get(n).copied().unwrap_or_default();
        Self { idle: nth(3) + nth(4), stolen: nth(7), all: ticks.iter().take(8).sum() }
    }
}

/// The name of a process, by its folder in /proc, and its user and system time in ticks of 10 ms (proc(5), fields 2, 14
/// and 15).
pub(crate) fn spent(process: &Path) -> Option<(String, u64)> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields = rest.split_whitespace().skip(11).take(2);
    Some((name, fields.flat_map(str::parse::<u64>).sum()))
}

/// What one process has spent, in ticks of 10 ms; 0 when there is none.
pub(crate) fn ticks_of(process: Option<u32>) -> u64 {
    let folder = process.map(|id| format!("/proc/{id}"));
    folder.and_then(|folder| spent(Path::new(&folder))).map_or(0, |(_, ticks)| ticks)
}

/// Median time of 100 writes of 4 KiB made durable one by one.
fn fsync_p50_us() -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile()?;
    let mut nanos = histogram()?;
    for _ in 0..100 {
        let begun = Instant::now();
        file.rewind()?;
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        nanos.saturating_record(begun.elapsed().as_nanos() as u64);
    }
    Ok(round(nanos.value_at_quantile(0.5) as f64 / 1e3))
}

/// Median time of 100 turns of 100,000 multiplications, each waiting for the one before: how fast a processor was. Machines
/// that share their processors with others answer differently from minute to minute.
fn spin_p50_us() -> anyhow::Result<f64> {
    let mut nanos = histogram()?;
    for turn in 0..100_u64 {
        let begun = Instant::now();
        let mut value = std::hint::black_box(turn | 1);
        for _ in 0..100_000 {
            value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005));
        }
        nanos.saturating_record(begun.elapsed().as_nanos() as u64);
    }
    Ok(round(nanos.value_at_quantile(0.5) as f64 / 1e3))
}
