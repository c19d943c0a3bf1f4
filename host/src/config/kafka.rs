//! `[kafka]`: the journal.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kafka {
    /// `host:port`, several with commas; empty: no journal.
    pub brokers: String,
    /// The topic's name.
    pub topic: String,
    /// Copies of each partition of a topic made here; 0: the brokers' default.
    pub replication: u16,
    /// How long a record waits for others, ms.
    pub linger_ms: u64,
    /// Records that may be on their way.
    pub in_flight: usize,
    /// The same in bytes.
    pub in_flight_bytes: usize,
    /// A record that has been on its way for longer means that Kafka is away, ms.
    pub down_after_ms: u64,
    /// How long it then counts as away at least, ms.
    pub dwell_ms: u64,
}

impl Kafka {
    pub(super) fn read(from: &mut Reader) -> Self {
        let brokers = |text: &str| {
            let one = |place: &str| {
                let port = place.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
                matches!(port, Some((host, Ok(1..))) if !host.is_empty() && !host.contains('/'))
            };
            (text.is_empty() || text.split(',').all(one)).then(|| text.to_owned())
        };
        let topic = |text: &str| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let fits = (1..=249).contains(&text.len()) && text.bytes().all(good);
            fits.then(|| text.to_owned())
        };
        let expected = "`host:port`, several with commas between them, or \"\" for no journal";
        let named = "1 to 249 letters, digits, `.`, `_` or `-`";
        Self {
            brokers: from.text("brokers", "", expected, brokers).unwrap_or_default(),
            topic: from.text("topic", "kefu", named, topic).unwrap_or_default(),
            replication: from.number("replication", 0, 0..=100) as u16,
            linger_ms: from.duration("linger", "10ms", ["1ms", "1s"]),
            in_flight: from.number("in_flight", 100_000, 1000..=10_000_000) as usize,
            in_flight_bytes: from.number("in_flight_bytes", 134_217_728, 1 << 20..=1 << 31)
                as usize,
            down_after_ms: from.duration("down_after", "3s", ["500ms", "1m"]),
            dwell_ms: from.duration("dwell", "5s", ["0ms", "10m"]),
        }
    }
}
