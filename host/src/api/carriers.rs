//! The promises of the two carriers, which `transport` serves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{Entry, Who, op};
use crate::domain::ids::SessionId;
use crate::transport::{ClientFrame, ServerFrame};

/// `POST /v1/commands`: its body.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "described here, read in transport/longpoll")]
struct Post {
    /// From `welcome`; without it the first frame is a `hello`.
    #[serde(default)]
    session: Option<SessionId>,
    /// 1 to 64.
    #[schemars(with = "Vec<ClientFrame>")]
    frames: Vec<serde_json::Value>,
}

/// `POST /v1/commands`: its answer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Answers")]
struct Answers {
    /// One `ack` or `error` per command, in order; the `welcome` first.
    #[schemars(with = "Vec<ServerFrame>")]
    frames: Vec<serde_json::Value>,
}

/// `GET /v1/events`: its query.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "described here, read in transport/longpoll")]
struct Wanted {
    /// From `welcome`.
    session: SessionId,
    /// `cursor` of the answer before: acknowledges what it names.
    #[serde(default)]
    cursor: String,
    /// Longest to wait, ms, at most 30,000.
    wait: Option<u64>,
}

/// `GET /v1/events`: its answer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Polled")]
struct Polled {
    #[schemars(with = "Vec<ServerFrame>")]
    frames: Vec<serde_json::Value>,
    /// `conversation:seq,conversation:seq…`, to be sent back.
    cursor: String,
    /// How long to wait before the next poll.
    next_ms: u64,
}

pub(super) fn entries() -> Vec<Entry> {
    let events = op("poll", "Waits for frames: the long-poll carrier.", Who::Session)
        .asks::<Wanted>()
        .gives::<Polled>(200)
        .may(&[404]);
    let commands = op("command", "Sends frames: the long-poll carrier.", Who::Session)
        .takes::<Post>()
        .gives::<Answers>(200)
        .may(&[404, 409, 422, 429]);
    let socket = op("connect", "The WebSocket carrier; see docs/PROTOCOL.md.", Who::Anyone)
        .gives_nothing(101)
        .may(&[400, 403, 429, 503]);
    vec![
        Entry::new("get", "/v1/events", events),
        Entry::new("post", "/v1/commands", commands),
        Entry::new("get", "/v1/ws", socket),
    ]
}
