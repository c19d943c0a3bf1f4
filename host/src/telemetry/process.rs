//! Figures of the process itself, from /proc. Where there is none, they are left out.

use std::fs;

use super::figures::Live;

/// Clock ticks of /proc/self/stat per second: the same on every Linux that runs this.
const TICKS: f64 = 100.0;

pub(super) fn figures() -> Vec<Live> {
    let mut all = Vec::new();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    all.extend(field("VmRSS:").map(|kb| Live::new("process_resident_memory_bytes", kb * 1024.0)));
    all.extend(field("Threads:").map(|threads| Live::new("process_threads", threads)));
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        all.push(Live::new("process_open_fds", open.count() as f64));
    }
    all.extend(most_files().map(|most| Live::new("process_max_fds", most)));
    all.extend(cpu_seconds().map(|used| Live::new("process_cpu_seconds_total", used)));
    all
}

fn most_files() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold blanks; what follows it does not.
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = rest.next()?.parse().ok()?;
    let system: f64 = rest.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}
