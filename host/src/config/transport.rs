//! `[transport]`: the two carriers.

use super::reader::Reader;
use crate::domain::rate::Rate;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Transport {
    /// Time for the first frame, ms.
    pub hello_timeout_ms: u64,
    /// Time for the head of an HTTP request, and for its body (plus what its size earns), ms.
    pub request_timeout_ms: u64,
    /// Time for a peer to take what is written, ms.
    pub write_timeout_ms: u64,
    /// A client silent for this long is pinged, ms.
    pub heartbeat_ms: u64,
    /// A peer silent for this long is gone, ms.
    pub idle_timeout_ms: u64,
    /// Longest a poll is parked, ms.
    pub poll_wait_ms: u64,
    /// Most bytes in a frame.
    pub frame_bytes: usize,
    /// Most frames waiting for one session; more and it is cut as a slow reader.
    pub outbox_frames: usize,
    /// Most bytes waiting for one session, about; more and it is cut as a slow reader.
    pub outbox_bytes: usize,
    /// Most frames of one connection read and not yet done.
    pub in_flight: usize,
    /// Most open WebSockets.
    pub connections: usize,
    /// Connects and hellos from one address.
    pub connects: Rate,
}

impl Transport {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            hello_timeout_ms: from.duration("hello_timeout", "10s", ["100ms", "1m"]),
            request_timeout_ms: from.duration("request_timeout", "30s", ["100ms", "10m"]),
            write_timeout_ms: from.duration("write_timeout", "20s", ["100ms", "10m"]),
            heartbeat_ms: from.duration("heartbeat", "20s", ["100ms", "5m"]),
            idle_timeout_ms: from.duration("idle_timeout", "45s", ["200ms", "10m"]),
            poll_wait_ms: from.duration("poll_wait", "30s", ["100ms", "1m"]),
            frame_bytes: from.number("frame_bytes", 65_536, 1024..=1_048_576) as usize,
            outbox_frames: from.number("outbox_frames", 1024, 16..=65_536) as usize,
            outbox_bytes: from.number("outbox_bytes", 524_288, 4096..=67_108_864) as usize,
            in_flight: from.number("in_flight", 64, 1..=4096) as usize,
            connections: from.number("connections", 100_000, 1..=1_000_000) as usize,
            connects: from.rate("connects", (20.0, 100.0)),
        }
    }
}
