//! `GET /v1/stats`: live figures for supervisors.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Shared;
use super::answer::Answer;
use super::contract::{Routes, Who, op};
use super::who::Supervisor;
use crate::domain::agent::Status;
use crate::domain::ids::Millis;

pub(super) fn routes() -> Routes<Shared> {
    let stats_now = op("getStats", "Live figures.", Who::Supervisor).gives::<Stats>(200);
    Routes::new().get("/v1/stats", stats, stats_now)
}

/// Live figures.
#[derive(Serialize, JsonSchema)]
struct Stats {
    /// Conversations that wait.
    waiting: usize,
    /// How long the first of them has.
    longest_wait_ms: Option<Millis>,
    /// Conversations an agent has.
    active: u64,
    /// Enabled accounts by status; a status nobody has is left out.
    agents: BTreeMap<Status, u32>,
    /// Accounts with a live session.
    present: u32,
    /// Open WebSockets.
    connections: usize,
    /// Sessions on any carrier.
    sessions: usize,
}

async fn stats(State(api): State<Shared>, _: Supervisor) -> Answer<Json<Stats>> {
    let waiting = api.storage.queue(None).await?;
    let active: u64 = api.storage.loads().await?.iter().map(|(_, n)| u64::from(*n)).sum();
    let mut agents: BTreeMap<Status, u32> = BTreeMap::new();
    let mut present = 0_u32;
    for agent in api.storage.agents().await?.iter().filter(|agent| agent.enabled) {
        *agents.entry(agent.status).or_default() += 1;
        present += u32::from(api.presence.is_present(agent.id));
    }
    let figures = api.sessions.figures();
    let longest = waiting.iter().map(|row| row.waiting_since).min();
    Ok(Json(Stats {
        waiting: waiting.len(),
        longest_wait_ms: longest.map(|since| api.clock.now().saturating_sub(since)),
        active,
        agents,
        present,
        connections: figures.sockets,
        sessions: figures.sessions,
    }))
}
