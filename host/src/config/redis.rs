//! `[redis]`: the stream of more than one node.

use super::address::Address;
use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Redis {
    /// One server, or members of one cluster separated by commas; empty: the embedded stream.
    pub url: Address,
    /// What every key begins with.
    pub prefix: String,
    /// How long a command may take until its connection is in doubt, ms.
    pub command_timeout_ms: u64,
    /// How long an append is tried, ms.
    pub append_timeout_ms: u64,
    /// Most events in one script.
    pub batch_events: usize,
    /// Most bytes in one script.
    pub batch_bytes: usize,
    /// Events of a conversation that stay when SQL has them.
    pub recent: usize,
    /// After how long without an event a conversation leaves Redis, ms.
    pub idle_ms: u64,
}

impl Redis {
    pub(super) fn read(from: &mut Reader) -> Self {
        let expected = "`redis://…` or `rediss://…`, several of one cluster with commas between \
                        them, or \"\" for the embedded stream";
        let one = |url: &str| url.starts_with("redis://") || url.starts_with("rediss://");
        let url = from.address("url", expected, |text| text.is_empty() || text.split(',').all(one));
        let prefix = |text: &str| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            ((1..=64).contains(&text.len()) && text.bytes().all(good)).then(|| text.to_owned())
        };
        let named = "1 to 64 letters, digits, `-`, `_` or `.`";
        Self {
            url,
            prefix: from.text("prefix", "kefu", named, prefix).unwrap_or_default(),
            command_timeout_ms: from.duration("command_timeout", "2s", ["100ms", "30s"]),
            append_timeout_ms: from.duration("append_timeout", "5s", ["500ms", "1m"]),
            batch_events: from.number("batch_events", 64, 1..=1000) as usize,
            batch_bytes: from.number("batch_bytes", 65_536, 4096..=1_048_576) as usize,
            recent: from.number("recent", 256, 32..=100_000) as usize,
            idle_ms: from.duration("idle", "1h", ["1m", "30d"]),
        }
    }
}
