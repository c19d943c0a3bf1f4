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
    /// Most bytes waiting for a commit; more are refused.
    pub waiting_bytes: usize,
    /// Conversations whose last `seq` and keys (16 each, on average) are kept in memory.
    pub heads: usize,
    /// Reads at the same time.
    pub readers: usize,
    /// Commits a live reader may be behind.
    pub tail_commits: usize,
    /// Most bytes of the file; `None`: what the disk has.
    pub max_bytes: Option<u64>,
}

impl Stream {
    pub(super) fn read(from: &mut Reader) -> Self {
        let most = from.number("max_bytes", 0, 0..=1 << 50);
        Self {
            batch_events: from.number("batch_events", 512, 1..=10_000) as usize,
            batch_bytes: from.number("batch_bytes", 131_072, 4096..=16_777_216) as usize,
            waiting: from.number("waiting", 8192, 16..=1_000_000) as usize,
            waiting_bytes: from.number("waiting_bytes", 33_554_432, 65_536..=1 << 32) as usize,
            heads: from.number("heads", 65_536, 1..=16_777_216) as usize,
            readers: from.number("readers", 4, 1..=64) as usize,
            tail_commits: from.number("tail_commits", 256, 1..=65_536) as usize,
            max_bytes: (most > 0).then_some(most),
        }
    }
}
