//! `GET /v1/conversations…`: lists, one conversation, its events, decisions and report.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::Answer;
use super::body::{Asked, Place};
use super::who::Agent;
use crate::domain::conversation::State as Stands;
use crate::domain::ids::{ConversationId, Seq};
use crate::domain::people::Role;
use crate::domain::refusal::Refusal;
use crate::storage::Search;

/// Most events in one answer.
const EVENTS_MOST: u64 = 500;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/conversations", get(list))
        .route("/v1/conversations/{id}", get(one))
        .route("/v1/conversations/{id}/events", get(events))
        .route("/v1/conversations/{id}/decisions", get(decisions))
        .route("/v1/conversations/{id}/report", get(report))
}

#[derive(Deserialize)]
struct Filter {
    state: Option<Stands>,
    agent: Option<String>,
    before: Option<ConversationId>,
    limit: Option<u32>,
}

async fn list(
    State(api): State<Shared>,
    who: Agent,
    Asked(filter): Asked<Filter>,
) -> Answer<Json<Value>> {
    let agent = match filter.agent.as_deref() {
        None | Some("") => None,
        Some("me") => Some(who.id),
        Some(id) => Some(id.parse().map_err(|_| Refusal::NotFound("agent"))?),
    };
    let search = Search {
        state: filter.state,
        agent,
        before: filter.before,
        limit: filter.limit.unwrap_or(50).clamp(1, 200),
        ..Search::default()
    };
    let found = api.conversations.search(&who.principal(), search).await?;
    Ok(Json(json!({ "conversations": found })))
}

async fn one(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
) -> Answer<Json<Value>> {
    let summary = api.conversations.visible(&who.principal(), id).await?;
    let report = api.storage.report(id).await?;
    let mut answer = json!({ "conversation": summary });
    if let Some(report) = report {
        answer["report"] = json!(report);
    }
    Ok(Json(answer))
}

#[derive(Deserialize)]
struct Range {
    after: Option<Seq>,
    before: Option<Seq>,
    limit: Option<u64>,
}

async fn events(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
    Asked(range): Asked<Range>,
) -> Answer<Json<Value>> {
    let limit = range.limit.unwrap_or(EVENTS_MOST).clamp(1, EVENTS_MOST);
    // Numbers have no holes, so the page before one is found by counting.
    let (after, limit) = match (range.after, range.before) {
        (None, Some(before)) => {
            let after = before.saturating_sub(limit + 1);
            (after, before.saturating_sub(after + 1))
        }
        (after, _) => (after.unwrap_or(0), limit),
    };
    let count = usize::try_from(limit).unwrap_or(0);
    let mut found = api.conversations.history(&who.principal(), id, after, count).await?;
    if let Some(before) = range.before {
        found.retain(|event| event.seq < before);
    }
    Ok(Json(json!({ "events": found })))
}

async fn decisions(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
) -> Answer<Json<Value>> {
    let summary = api.conversations.visible(&who.principal(), id).await?;
    if who.role < Role::Supervisor && summary.row.agent != Some(who.id) {
        return Err(Refusal::Forbidden("this is for the agent who has it").into());
    }
    Ok(Json(json!({ "decisions": api.storage.decisions(id).await? })))
}

async fn report(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
) -> Answer<Json<Value>> {
    api.conversations.visible(&who.principal(), id).await?;
    let report = api.storage.report(id).await?.ok_or(Refusal::NotFound("report"))?;
    Ok(Json(json!({ "report": report })))
}
