//! `GET|POST /v1/agents`, `PATCH /v1/agents/{id}`, `POST /v1/agents/{id}/password`.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{Body, Place};
use super::who::{Admin, Agent as Asking};
use super::{Shared, rules};
use crate::auth::Auth;
use crate::domain::agent::{Agent, Skill, Status};
use crate::domain::ids::{AgentId, TeamId};
use crate::domain::people::{Party, Role};
use crate::domain::refusal::Refusal;
use crate::runtime::fresh_id;
use crate::sessions::Bye;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/agents", get(list).post(add))
        .route("/v1/agents/{id}", patch(change))
        .route("/v1/agents/{id}/password", post(password))
}

async fn list(State(api): State<Shared>, who: Asking) -> Answer<Json<Value>> {
    let loads: HashMap<_, _> = api.storage.loads().await?.into_iter().collect();
    let accounts = api.storage.agents().await?;
    let shown = accounts.iter().filter(|agent| agent.enabled || who.role == Role::Admin);
    let agents: Vec<Value> = shown
        .map(|agent| {
            let mut shown = match who.role {
                Role::Admin => json!(agent),
                _ => json!({
                    "id": agent.id,
                    "name": agent.name,
                    "status": agent.status,
                    "capacity": agent.capacity,
                    "teams": agent.teams,
                }),
            };
            shown["present"] = api.presence.is_present(agent.id).into();
            shown["active"] = loads.get(&agent.id).copied().unwrap_or(0).into();
            shown
        })
        .collect();
    Ok(Json(json!({ "agents": agents })))
}

#[derive(Deserialize)]
struct NewAgent {
    login: String,
    name: String,
    role: Option<Role>,
    #[serde(default)]
    teams: Vec<TeamId>,
    #[serde(default)]
    skills: Vec<Skill>,
    capacity: Option<u16>,
    password: Option<String>,
}

async fn add(
    State(api): State<Shared>,
    _: Admin,
    Body(new): Body<NewAgent>,
) -> Answer<(StatusCode, Json<Value>)> {
    let agent = Agent {
        id: AgentId::new(fresh_id(&api.clock)).ok_or(Refusal::Conflict("no id"))?,
        login: rules::login(&new.login)?,
        name: rules::name(&new.name)?,
        role: new.role.unwrap_or(Role::Agent),
        teams: new.teams,
        skills: new.skills,
        capacity: new.capacity.unwrap_or(5),
        quality: 0.8,
        status: Status::Offline,
        idle_since: api.clock.now(),
        enabled: true,
        epoch: 1,
    };
    check(&api, &agent).await?;
    let made_up = new.password.is_none().then(Auth::made_up_password);
    let password = new.password.or_else(|| made_up.clone()).unwrap_or_default();
    let hash = api.auth.hash(&password).await?;
    api.storage.add_agent(&agent, &hash).await?;
    Ok((StatusCode::CREATED, Json(with_password(json!({ "agent": agent }), made_up))))
}

#[derive(Deserialize)]
struct Changes {
    login: Option<String>,
    name: Option<String>,
    role: Option<Role>,
    teams: Option<Vec<TeamId>>,
    skills: Option<Vec<Skill>>,
    capacity: Option<u16>,
    enabled: Option<bool>,
}

async fn change(
    State(api): State<Shared>,
    admin: Admin,
    Place(id): Place<AgentId>,
    Body(changes): Body<Changes>,
) -> Answer<Json<Value>> {
    let mut agent = api.storage.agent(id).await?.ok_or(Refusal::NotFound("agent"))?;
    let (role, enabled) = (agent.role, agent.enabled);
    if let Some(login) = changes.login {
        agent.login = rules::login(&login)?;
    }
    if let Some(name) = changes.name {
        agent.name = rules::name(&name)?;
    }
    agent.role = changes.role.unwrap_or(agent.role);
    agent.teams = changes.teams.unwrap_or(agent.teams);
    agent.skills = changes.skills.unwrap_or(agent.skills);
    agent.capacity = changes.capacity.unwrap_or(agent.capacity);
    agent.enabled = changes.enabled.unwrap_or(agent.enabled);
    if id == admin.id && (agent.role != role || !agent.enabled) {
        return Err(Refusal::Conflict("an admin cannot shut itself out").into());
    }
    if (agent.role, agent.enabled) != (role, enabled) {
        agent.epoch += 1;
    }
    check(&api, &agent).await?;
    if !api.storage.update_agent(&agent).await? {
        return Err(Refusal::NotFound("agent").into());
    }
    api.auth.forget(id);
    api.conversations.wake_routing();
    if (agent.role, agent.enabled) != (role, enabled) {
        api.sessions.end_for(Party::Agent(id), Bye::Unauthorized);
    }
    Ok(Json(json!({ "agent": agent })))
}

#[derive(Deserialize)]
struct NewPassword {
    password: Option<String>,
}

async fn password(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<AgentId>,
    Body(new): Body<NewPassword>,
) -> Answer<Json<Value>> {
    let made_up = new.password.is_none().then(Auth::made_up_password);
    let password = new.password.or_else(|| made_up.clone()).unwrap_or_default();
    api.auth.set_password(id, &password).await?;
    api.sessions.end_for(Party::Agent(id), Bye::Unauthorized);
    Ok(Json(with_password(json!({}), made_up)))
}

fn with_password(mut answer: Value, made_up: Option<String>) -> Value {
    if let Some(password) = made_up {
        answer["password"] = password.into();
    }
    answer
}

async fn check(api: &Shared, agent: &Agent) -> Answer<()> {
    rules::skills(&agent.skills)?;
    rules::capacity(agent.capacity)?;
    let teams = api.storage.teams().await?;
    match agent.teams.iter().all(|id| teams.iter().any(|team| team.id == *id)) {
        true => Ok(()),
        false => Err(Refusal::Invalid { field: "teams", rule: "must exist".into() }.into()),
    }
}
