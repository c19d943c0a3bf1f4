//! Telemetry: log lines and figures. The only place that knows how either is written.

mod figures;
mod process;

use std::io::IsTerminal;

pub use self::figures::{Live, Meters, reference};
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
