//! `GET /v1/stats`: live figures for supervisors.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Shared;
use super::answer::Answer;
use super::who::Supervisor;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/stats", get(stats))
}

async fn stats(State(api): State<Shared>, _: Supervisor) -> Answer<Json<Value>> {
    let waiting = api.storage.queue(None).await?;
    let active: u64 = api.storage.loads().await?.iter().map(|(_, n)| u64::from(*n)).sum();
    let mut agents: BTreeMap<String, u32> = BTreeMap::new();
    let mut present = 0_u32;
    for agent in api.storage.agents().await?.iter().filter(|agent| agent.enabled) {
        let status = serde_json::to_value(agent.status).unwrap_or_default();
        *agents.entry(status.as_str().unwrap_or_default().to_owned()).or_default() += 1;
        present += u32::from(api.presence.is_present(agent.id));
    }
    let figures = api.sessions.figures();
    let longest = waiting.iter().map(|row| row.waiting_since).min();
    Ok(Json(json!({
        "waiting": waiting.len(),
        "longest_wait_ms": longest.map(|since| api.clock.now().saturating_sub(since)),
        "active": active,
        "agents": agents,
        "present": present,
        "connections": figures.sockets,
        "sessions": figures.sessions,
    })))
}
