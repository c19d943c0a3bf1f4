//! `[plugins]`: what plugins may use.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugins {
    /// Most memory of all instances together, MiB.
    pub total_memory_mb: u32,
    /// Faults in a row (per point) until a generation is taken out.
    pub quarantine_after: u32,
}

impl Plugins {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            total_memory_mb: from.number("total_memory_mb", 256, 16..=65_536) as u32,
            quarantine_after: from.number("quarantine_after", 5, 1..=1000) as u32,
        }
    }
}
