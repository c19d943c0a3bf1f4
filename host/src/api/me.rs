//! `GET /v1/me`, `POST /v1/me/password`, and a visitor's `GET /v1/me/conversations`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::Answer;
use super::body::Body;
use super::login::with_cookie;
use super::who::{Agent, Visitor};
use crate::domain::people::{Party, Principal};
use crate::domain::refusal::Refusal;
use crate::sessions::Bye;
use crate::storage::Search;

/// Conversations a visitor is shown.
const VISITOR_SEES: u32 = 20;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/me", get(me))
        .route("/v1/me/password", post(password))
        .route("/v1/me/conversations", get(conversations))
}

async fn me(State(api): State<Shared>, who: Agent) -> Answer<Json<Value>> {
    let account = api.storage.agent(who.id).await?;
    let account = account.ok_or(Refusal::NotFound("agent"))?;
    Ok(Json(json!({ "agent": account })))
}

#[derive(Deserialize)]
struct NewPassword {
    old: String,
    new: String,
}

async fn password(
    State(api): State<Shared>,
    who: Agent,
    Body(sent): Body<NewPassword>,
) -> Answer<Response> {
    let issued = api.auth.change_password(who.id, &sent.old, &sent.new).await?;
    // Its own pages come back with the new token; whoever still has an old one does not.
    api.sessions.end_for(Party::Agent(who.id), Bye::Draining);
    let answer = json!({ "token": issued.token, "expires_at": issued.expires_at });
    Ok(with_cookie(&api, &issued, Json(answer).into_response()))
}

async fn conversations(State(api): State<Shared>, who: Visitor) -> Answer<Json<Value>> {
    let principal = Principal::Visitor { site: who.site, visitor: who.visitor };
    let mine = Search { visitor: Some(who.visitor), limit: VISITOR_SEES, ..Search::default() };
    let found = api.conversations.search(&principal, mine).await?;
    Ok(Json(json!({ "conversations": found })))
}
