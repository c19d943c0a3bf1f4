//! `[transport]`: the two carriers.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Transport {
    /// Time for the first frame, ms.
    pub hello_timeout_ms: u64,
    /// Without traffic for this long the server pings, ms.
    pub heartbeat_ms: u64,
    /// A peer silent for this long is gone, ms.
    pub idle_timeout_ms: u64,
    /// Longest a poll is parked, ms.
    pub poll_wait_ms: u64,
    /// Most bytes in a frame.
    pub frame_bytes: usize,
    /// Most frames waiting for one session; more and it is cut as a slow reader.
    pub outbox_frames: usize,
    /// Most open WebSockets.
    pub connections: usize,
}

impl Transport {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            hello_timeout_ms: from.duration("hello_timeout", "10s", "1m"),
            heartbeat_ms: from.duration("heartbeat", "20s", "5m"),
            idle_timeout_ms: from.duration("idle_timeout", "45s", "10m"),
            poll_wait_ms: from.duration("poll_wait", "30s", "1m"),
            frame_bytes: from.number("frame_bytes", 65_536, 1024..=1_048_576) as usize,
            outbox_frames: from.number("outbox_frames", 1024, 16..=65_536) as usize,
            connections: from.number("connections", 100_000, 1..=1_000_000) as usize,
        }
    }
}
