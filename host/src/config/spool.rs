//! `[spool]`: the local disk that stands in for Kafka.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spool {
    /// Most bytes of all partitions together.
    pub max_bytes: u64,
}

impl Spool {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self { max_bytes: from.number("max_bytes", 10 << 30, 1 << 20..=1 << 50) }
    }
}
