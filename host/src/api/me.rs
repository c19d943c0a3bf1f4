//! `GET /v1/me`, `POST /v1/me/password`, and a visitor's `GET /v1/me/conversations`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::agents::OneAgent;
use super::answer::Answer;
use super::body::Body;
use super::contract::{Routes, Who, op};
use super::conversations::listed;
use super::login::with_cookie;
use super::who::{Agent, Visitor};
use crate::domain::ids::Millis;
use crate::domain::people::{Party, Principal};
use crate::domain::refusal::Refusal;
use crate::sessions::Bye;
use crate::storage::Search;
use crate::transport::Listed;

/// Conversations a visitor is shown.
const VISITOR_SEES: u32 = 20;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new()
        .get(
            "/v1/me",
            me,
            op("getMe", "The account that asks.", Who::Agent).gives::<OneAgent>(200).may(&[404]),
        )
        .post(
            "/v1/me/password",
            password,
            op("changeMyPassword", "A new password, and a new token.", Who::Agent)
                .takes::<NewPassword>()
                .gives::<Reissued>(200),
        )
        .get(
            "/v1/me/conversations",
            conversations,
            op("listMyConversations", "A visitor's last 20, newest first.", Who::Visitor)
                .gives::<Mine<'static>>(200),
        )
}

#[derive(Serialize, JsonSchema)]
struct Reissued {
    token: String,
    expires_at: Millis,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MyConversations")]
struct Mine<'a> {
    conversations: Vec<Listed<'a>>,
}

async fn me(State(api): State<Shared>, who: Agent) -> Answer<Json<OneAgent>> {
    let account = api.storage.agent(who.id).await?;
    let account = account.ok_or(Refusal::NotFound("agent"))?;
    Ok(Json(OneAgent { agent: account }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    let answer = Reissued { token: issued.token.clone(), expires_at: issued.expires_at };
    Ok(with_cookie(&api, &issued, Json(answer).into_response()))
}

async fn conversations(State(api): State<Shared>, who: Visitor) -> Answer<Response> {
    let principal = Principal::Visitor { site: who.site, visitor: who.visitor };
    let mine = Search { visitor: Some(who.visitor), limit: VISITOR_SEES, ..Search::default() };
    let found = api.conversations.search(&principal, mine).await?;
    Ok(Json(Mine { conversations: listed(&found) }).into_response())
}
