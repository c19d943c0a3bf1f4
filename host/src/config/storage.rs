//! `[storage]`: where rows are kept.

use super::address::Address;
use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// A PostgreSQL server; empty: SQLite in the data directory.
    pub url: Address,
    /// Most connections to it.
    pub connections: u32,
    /// How long a call waits for a connection, ms.
    pub acquire_timeout_ms: u64,
    /// How long a statement may take, ms.
    pub statement_timeout_ms: u64,
    /// How long a statement waits for another's lock, ms.
    pub lock_timeout_ms: u64,
}

impl Storage {
    pub(super) fn read(from: &mut Reader) -> Self {
        let expected = "`postgres://user:password@host/database`, or \"\" for SQLite";
        Self {
            url: from.address("url", expected, |text| {
                text.is_empty()
                    || ["postgres://", "postgresql://"].iter().any(|s| text.starts_with(s))
            }),
            connections: from.number("connections", 10, 2..=1000) as u32,
            acquire_timeout_ms: from.duration("acquire_timeout", "2s", ["100ms", "1m"]),
            statement_timeout_ms: from.duration("statement_timeout", "4s", ["100ms", "5m"]),
            lock_timeout_ms: from.duration("lock_timeout", "2s", ["100ms", "5m"]),
        }
    }
}
