//! `[plugins]`: what plugins may use.

use super::reader::Reader;
use crate::domain::plugin::Require;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugins {
    /// Which may serve, besides the shipped ones.
    pub require: Require,
    /// Most memory of all instances together, MiB.
    pub total_memory_mb: u32,
    /// Most memory of one instance, MiB.
    pub instance_memory_mb: u32,
    /// Faults in a row (per point) until a generation is taken out.
    pub quarantine_after: u32,
    /// One decision who answers.
    pub routing: Call,
    /// One judgement on a message.
    pub filter: Call,
    /// One inspection of a closed conversation.
    pub inspection: Call,
}

/// What one call may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Work, in wasmtime's fuel.
    pub fuel: u64,
    /// Wall time, ms.
    pub deadline_ms: u32,
}

impl Plugins {
    pub(super) fn read(from: &mut Reader) -> Self {
        let require = |text: &str| {
            [Require::Trusted, Require::Signed, Require::None]
                .into_iter()
                .find(|require| require.word() == text)
        };
        let words = "\"trusted\", \"signed\" or \"none\"";
        Self {
            require: from.text("require", "trusted", words, require).unwrap_or(Require::Trusted),
            total_memory_mb: from.number("total_memory_mb", 256, 16..=65_536) as u32,
            instance_memory_mb: from.number("instance_memory_mb", 16, 1..=4096) as u32,
            quarantine_after: from.number("quarantine_after", 5, 1..=1000) as u32,
            routing: call(from, ["routing_fuel", "routing_deadline"], (20_000_000, "250ms")),
            filter: call(from, ["filter_fuel", "filter_deadline"], (20_000_000, "250ms")),
            inspection: call(from, ["inspection_fuel", "inspection_deadline"], (500_000_000, "2s")),
        }
    }
}

fn call(from: &mut Reader, keys: [&str; 2], (fuel, deadline): (u64, &str)) -> Call {
    Call {
        fuel: from.number(keys[0], fuel, 10_000..=1_000_000_000_000),
        deadline_ms: from.duration(keys[1], deadline, ["5ms", "1m"]) as u32,
    }
}
