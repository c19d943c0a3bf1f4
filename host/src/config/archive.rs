//! `[archive]`: writing events to SQL, where the stream does not keep them.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// Most rows of a batch.
    pub batch_rows: usize,
    /// How long the first row of a batch waits for others, ms.
    pub batch_wait_ms: u64,
    /// Events that may wait for SQL.
    pub waiting: usize,
}

impl Archive {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            batch_rows: from.number("batch_rows", 1000, 1..=10_000) as usize,
            batch_wait_ms: from.duration("batch_wait", "5ms", ["0ms", "1s"]),
            waiting: from.number("waiting", 8192, 16..=1_000_000) as usize,
        }
    }
}
