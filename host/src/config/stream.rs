//! `[stream]`: the durable log of events.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Most events in one group commit.
    pub batch_events: usize,
    /// Most bytes in one group commit.
    pub batch_bytes: usize,
    /// Most appends waiting for a commit; more are refused.
    pub waiting: usize,
}

impl Stream {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            batch_events: from.number("batch_events", 512, 1..=10_000) as usize,
            batch_bytes: from.number("batch_bytes", 131_072, 4096..=16_777_216) as usize,
            waiting: from.number("waiting", 8192, 16..=1_000_000) as usize,
        }
    }
}
