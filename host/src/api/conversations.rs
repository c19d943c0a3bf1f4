//! `GET /v1/conversations…`: lists, one conversation, its events, decisions and report.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::Answer;
use super::body::{Asked, Place};
use super::contract::{Operation, Routes, Who, op};
use super::who::Agent;
use crate::domain::conversation::State as Stands;
use crate::domain::event::Event;
use crate::domain::ids::{ConversationId, GenerationId, Seq};
use crate::domain::inspection::Report;
use crate::domain::people::Role;
use crate::domain::refusal::Refusal;
use crate::domain::routing::Decision;
use crate::sessions::Summary;
use crate::storage::{Generation, Search};
use crate::transport::Listed;

/// Most events in one answer.
const EVENTS_MOST: u64 = 500;

pub(super) fn routes() -> Routes<Shared> {
    let of_one = |id, summary| -> Operation {
        op(id, summary, Who::Agent).at::<ConversationId>().may(&[404])
    };
    Routes::new()
        .get(
            "/v1/conversations",
            list,
            op(
                "listConversations",
                "Newest first: a supervisor's list is everybody's, an agent's its own and what waits for its teams.",
                Who::Agent,
            )
            .asks::<Filter>()
            .gives::<Found<'static>>(200)
            .may(&[404]),
        )
        .get(
            "/v1/conversations/{id}",
            one,
            of_one("getConversation", "How it stands, and its report.").gives::<One<'static>>(200),
        )
        .get(
            "/v1/conversations/{id}/events",
            events,
            of_one("listEvents", "What happened in it, in order.")
                .asks::<Range>()
                .gives::<Events>(200),
        )
        .get(
            "/v1/conversations/{id}/decisions",
            decisions,
            of_one("listDecisions", "Who was chosen for it and why, oldest first.")
                .gives::<Decisions>(200),
        )
        .get(
            "/v1/conversations/{id}/report",
            report,
            of_one("getReport", "Its inspection report.").gives::<OneReport>(200),
        )
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Conversations")]
struct Found<'a> {
    conversations: Vec<Listed<'a>>,
    /// `before` of the next page; null: this is the last one.
    next: Option<ConversationId>,
    /// How many there are on all pages, counted up to 10000.
    total: u32,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OneConversation")]
struct One<'a> {
    conversation: Listed<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
}

#[derive(Serialize, JsonSchema)]
struct Events {
    events: Vec<Arc<Event>>,
}

#[derive(Serialize, JsonSchema)]
struct Decisions {
    decisions: Vec<Decision>,
    /// The policies that made them, as far as they are still kept.
    policies: Vec<Policy>,
}

/// A generation of a routing policy.
#[derive(Serialize, JsonSchema)]
struct Policy {
    generation: GenerationId,
    /// As people see it: `routing/3` is number 3.
    number: u32,
    name: String,
    version: String,
}

#[derive(Serialize, JsonSchema)]
struct OneReport {
    report: Report,
}

/// As lists show them.
pub(super) fn listed(found: &[Arc<Summary>]) -> Vec<Listed<'_>> {
    found.iter().map(|summary| (&**summary).into()).collect()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Only those in this state.
    state: Option<Stands>,
    /// Only those of this agent: an id, or `me`.
    agent: Option<String>,
    /// Only those opened before this one; `next` of the page before.
    before: Option<ConversationId>,
    /// At most, 1 to 200; 50 when not given.
    limit: Option<u32>,
}

async fn list(
    State(api): State<Shared>,
    who: Agent,
    Asked(filter): Asked<Filter>,
) -> Answer<Response> {
    let agent = match filter.agent.as_deref() {
        None | Some("") => None,
        Some("me") => Some(who.id),
        Some(id) => Some(id.parse().map_err(|_| Refusal::NotFound("agent"))?),
    };
    let limit = filter.limit.unwrap_or(50).clamp(1, 200);
    let search =
        Search { state: filter.state, agent, before: filter.before, limit, ..Search::default() };
    let total = api.conversations.count(&who.principal(), search.clone()).await?;
    let found = api.conversations.search(&who.principal(), search).await?;
    let next = (found.len() == limit as usize).then(|| found.last().map(|last| last.row.id));
    let found = Found { conversations: listed(&found), next: next.flatten(), total };
    Ok(Json(found).into_response())
}

async fn one(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
) -> Answer<Response> {
    let summary = api.conversations.visible(&who.principal(), id).await?;
    let report = api.storage.report(id).await?;
    Ok(Json(One { conversation: (&*summary).into(), report }).into_response())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Range {
    /// Only those with a greater `seq`.
    after: Option<Seq>,
    /// Only those with a smaller `seq`; without `after`, the page that ends there.
    before: Option<Seq>,
    /// At most, 1 to 500; 500 when not given.
    limit: Option<u64>,
}

async fn events(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
    Asked(range): Asked<Range>,
) -> Answer<Json<Events>> {
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
    Ok(Json(Events { events: found }))
}

async fn decisions(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
) -> Answer<Json<Decisions>> {
    let summary = api.conversations.visible(&who.principal(), id).await?;
    if who.role < Role::Supervisor && summary.row.agent != Some(who.id) {
        return Err(Refusal::Forbidden("this is for the agent who has it").into());
    }
    let decisions = api.storage.decisions(id).await?;
    let policies = policies(&api, &decisions).await?;
    Ok(Json(Decisions { decisions, policies }))
}

/// What the policies behind these decisions are called: one read for all of them.
async fn policies(api: &Shared, decisions: &[Decision]) -> Answer<Vec<Policy>> {
    let made = |id| decisions.iter().any(|decision| decision.generation == Some(id));
    if decisions.iter().all(|decision| decision.generation.is_none()) {
        return Ok(Vec::new());
    }
    let all = api.storage.generations().await?.into_iter().filter(|row| made(row.id));
    let policy = |row: Generation| Policy {
        generation: row.id,
        number: row.number,
        name: row.name,
        version: row.plugin_version,
    };
    Ok(all.map(policy).collect())
}

async fn report(
    State(api): State<Shared>,
    who: Agent,
    Place(id): Place<ConversationId>,
) -> Answer<Json<OneReport>> {
    api.conversations.visible(&who.principal(), id).await?;
    let report = api.storage.report(id).await?.ok_or(Refusal::NotFound("report"))?;
    Ok(Json(OneReport { report }))
}
