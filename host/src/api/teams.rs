//! `GET|POST /v1/teams`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Failure};
use super::body::Body;
use super::contract::{Routes, Who, op};
use super::who::{Admin, Agent};
use super::{Shared, rules};
use crate::domain::ids::TeamId;
use crate::domain::people::Team;
use crate::domain::refusal::Refusal;
use crate::runtime::fresh_id;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new()
        .get("/v1/teams", list, op("listTeams", "All teams.", Who::Agent).gives::<Teams>(200))
        .post(
            "/v1/teams",
            add,
            op("addTeam", "Adds a team.", Who::Admin).takes::<NewTeam>().gives::<OneTeam>(201),
        )
}

#[derive(Serialize, JsonSchema)]
struct Teams {
    teams: Vec<Team>,
}

#[derive(Serialize, JsonSchema)]
struct OneTeam {
    team: Team,
}

async fn list(State(api): State<Shared>, _: Agent) -> Answer<Json<Teams>> {
    Ok(Json(Teams { teams: api.storage.teams().await? }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTeam {
    name: String,
}

async fn add(
    State(api): State<Shared>,
    _: Admin,
    Body(new): Body<NewTeam>,
) -> Answer<(StatusCode, Json<OneTeam>)> {
    let id = TeamId::new(fresh_id(&api.clock)).ok_or(Refusal::Conflict("no id"))?;
    let team = Team { id, name: rules::name(&new.name)? };
    let added = api.storage.add_team(&team).await;
    added.map_err(|error| Failure::of_write(error, "team name", &team.name))?;
    Ok((StatusCode::CREATED, Json(OneTeam { team })))
}
