//! `GET|POST /v1/teams`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::Body;
use super::who::{Admin, Agent};
use super::{Shared, rules};
use crate::domain::ids::TeamId;
use crate::domain::people::Team;
use crate::domain::refusal::Refusal;
use crate::runtime::fresh_id;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/teams", get(list).post(add))
}

async fn list(State(api): State<Shared>, _: Agent) -> Answer<Json<Value>> {
    Ok(Json(json!({ "teams": api.storage.teams().await? })))
}

#[derive(Deserialize)]
struct NewTeam {
    name: String,
}

async fn add(
    State(api): State<Shared>,
    _: Admin,
    Body(new): Body<NewTeam>,
) -> Answer<(StatusCode, Json<Value>)> {
    let id = TeamId::new(fresh_id(&api.clock)).ok_or(Refusal::Conflict("no id"))?;
    let team = Team { id, name: rules::name(&new.name)? };
    api.storage.add_team(&team).await?;
    Ok((StatusCode::CREATED, Json(json!({ "team": team }))))
}
