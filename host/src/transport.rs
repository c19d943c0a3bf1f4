//! Transport: the two carriers of one protocol (`docs/PROTOCOL.md`).
//!
//! `websocket` and `longpoll` read frames, `wire` decodes them, `dispatch` does what they ask, and `sessions` holds
//! what goes back. Here: who may connect (limits, origins, draining), and the routes. It decides nothing about
//! conversations.

mod admission;
mod dispatch;
mod framing;
mod longpoll;
mod websocket;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::Notify;

use self::admission::Addresses;
pub use self::admission::client;
pub use self::wire::{ClientFrame, Listed, ServerFrame};
use crate::auth::Auth;
use crate::config::Network;
use crate::conversations::Conversations;
use crate::domain::people::Principal;
use crate::domain::rate::Rate;
use crate::presence::Presence;
use crate::runtime::Clock;
use crate::sessions::{Bye, Sessions};
use crate::storage;
use crate::telemetry::Meters;

/// Bounds of the carriers.
#[derive(Debug, Clone, PartialEq)]
pub struct TransportConfig {
    /// Most WebSockets at once; one more is answered 503.
    pub connections: usize,
    /// How fast one address may connect or say hello. Loopback is free: a reverse proxy speaks for many.
    pub connects: Rate,
    /// Time for the first frame, ms.
    pub hello_timeout_ms: u64,
    /// Time to write what is due, ms; a peer that does not take it is cut.
    pub write_timeout_ms: u64,
    /// Longest a poll is parked, ms.
    pub poll_wait_ms: u64,
    /// Most bytes in a frame.
    pub frame_bytes: usize,
    /// Most bytes in a message, as told in `welcome` (`conversations` enforces it).
    pub text_bytes: usize,
    /// Most frames of one connection being worked on.
    pub in_flight: usize,
    /// Our own origin; empty: the one that equals the request's `Host`.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            connections: 100_000,
            connects: Rate { per_second: 20.0, burst: 100.0 },
            hello_timeout_ms: 10_000,
            write_timeout_ms: 20_000,
            poll_wait_ms: 30_000,
            frame_bytes: 64 * 1024,
            text_bytes: 8 * 1024,
            in_flight: 64,
            public_url: String::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

/// The handles it needs.
pub struct Parts {
    /// Outboxes.
    pub sessions: Arc<Sessions>,
    /// Told of agents' sessions.
    pub presence: Arc<Presence>,
    /// Does what frames ask.
    pub conversations: Arc<Conversations>,
    /// Proves who is who.
    pub auth: Arc<Auth>,
    /// Names, and the origins of sites.
    pub storage: storage::Handle,
    /// The time.
    pub clock: Clock,
    /// Acks and refusals are counted there.
    pub meters: Arc<Meters>,
}

/// Both carriers.
pub struct Transport {
    parts: Parts,
    config: TransportConfig,
    addresses: Addresses,
    connections: AtomicUsize,
    draining: AtomicBool,
    one_less: Notify,
}

impl Transport {
    /// Ready to serve. From here on presence is told when an agent's session ends.
    #[must_use]
    pub fn new(parts: Parts, config: TransportConfig) -> Arc<Self> {
        let presence = parts.presence.clone();
        parts.sessions.when_ended(Box::new(move |session, orderly| {
            if let Principal::Agent { agent, .. } = *session.principal() {
                presence.left(agent, orderly);
            }
        }));
        Arc::new(Self {
            parts,
            addresses: Addresses::new(config.connects),
            config,
            connections: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            one_less: Notify::new(),
        })
    }

    /// Open WebSockets.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Refuses what is new, says `bye draining` to every session, and waits until the WebSockets are closed, at most
    /// `within`. `true` when all are.
    pub async fn drain(&self, within: Duration) -> bool {
        self.draining.store(true, Ordering::Release);
        self.parts.sessions.end_all(Bye::Draining);
        let closed = async {
            while self.connections() > 0 {
                // Looked at again now and then: a connection may open its session just as we drain.
                let again =
                    tokio::time::timeout(Duration::from_millis(200), self.one_less.notified());
                drop(again.await);
                self.parts.sessions.end_all(Bye::Draining);
            }
        };
        tokio::time::timeout(within, closed).await.is_ok()
    }
}

/// `/v1/ws`, `/v1/events`, `/v1/commands`. Pages of sites read the latter two through `api`'s CORS.
pub fn routes(transport: Arc<Transport>) -> Router {
    Router::new()
        .route("/v1/ws", get(websocket::upgrade))
        .route("/v1/events", get(longpoll::events))
        .route("/v1/commands", post(longpoll::commands))
        .with_state(transport)
}

#[cfg(test)]
mod tests;
