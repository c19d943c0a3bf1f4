//! `[telemetry]`: logs.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// What is logged, as `tracing` filters say it.
    pub log: String,
    /// How a log line looks.
    pub log_format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl Telemetry {
    pub(super) fn read(from: &mut Reader) -> Self {
        let filter = "levels, as \"info\" or \"info,kefu=debug\"";
        let format = |text: &str| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        };
        Self {
            log: from.text("log", "info", filter, filter_text).unwrap_or_default(),
            log_format: from
                .text("log_format", "text", "\"text\" or \"json\"", format)
                .unwrap_or(LogFormat::Text),
        }
    }
}

fn filter_text(text: &str) -> Option<String> {
    let parses = text.parse::<tracing_subscriber::filter::EnvFilter>().is_ok();
    (parses && !text.is_empty()).then(|| text.to_owned())
}
