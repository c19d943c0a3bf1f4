//! `GET|POST /v1/agents`, `PATCH /v1/agents/{id}`, `POST /v1/agents/{id}/password`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Failure};
use super::body::{Body, Place};
use super::contract::{Routes, Who, op};
use super::who::{Admin, Agent as Asking};
use super::{Shared, rules};
use crate::auth::Auth;
use crate::domain::agent::{Agent, Skill, Status};
use crate::domain::ids::{AgentId, TeamId};
use crate::domain::people::{Party, Role};
use crate::domain::refusal::Refusal;
use crate::runtime::fresh_id;
use crate::sessions::Bye;
use crate::storage::StorageError;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new()
        .get(
            "/v1/agents",
            list,
            op("listAgents", "Who answers; for admins, every account whole.", Who::Agent)
                .gives::<Agents>(200),
        )
        .post(
            "/v1/agents",
            add,
            op("addAgent", "Adds an account; a missing password is made up.", Who::Admin)
                .takes::<NewAgent>()
                .gives::<NewAccount>(201),
        )
        .patch(
            "/v1/agents/{id}",
            change,
            op("changeAgent", "Changes what is given of an account.", Who::Admin)
                .at::<AgentId>()
                .takes::<Changes>()
                .gives::<OneAgent>(200)
                .may(&[404, 409]),
        )
        .post(
            "/v1/agents/{id}/password",
            password,
            op("setAgentPassword", "Sets a password; a missing one is made up.", Who::Admin)
                .at::<AgentId>()
                .takes::<NewPassword>()
                .gives::<MadeUp>(200)
                .may(&[404]),
        )
}

#[derive(Serialize, JsonSchema)]
struct Agents {
    agents: Vec<Shown>,
}

/// An account as the asker may see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListedAgent")]
#[serde(untagged)]
enum Shown {
    Account(Account),
    Colleague(Colleague),
}

/// As admins see it.
#[derive(Serialize, JsonSchema)]
struct Account {
    #[serde(flatten)]
    agent: Agent,
    /// Has a live session.
    present: bool,
    /// Conversations it has now.
    active: u16,
}

/// As other agents see it.
#[derive(Serialize, JsonSchema)]
struct Colleague {
    id: AgentId,
    name: String,
    status: Status,
    capacity: u16,
    teams: Vec<TeamId>,
    /// Has a live session.
    present: bool,
    /// Conversations it has now.
    active: u16,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct OneAgent {
    pub(super) agent: Agent,
}

#[derive(Serialize, JsonSchema)]
struct NewAccount {
    agent: Agent,
    /// Made up, and shown only now.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct MadeUp {
    /// Made up, and shown only now.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

async fn list(State(api): State<Shared>, who: Asking) -> Answer<Json<Agents>> {
    let loads: HashMap<_, _> = api.storage.loads().await?.into_iter().collect();
    let accounts = api.storage.agents().await?;
    let shown = accounts.into_iter().filter(|agent| agent.enabled || who.role == Role::Admin);
    let agents = shown.map(|agent| {
        let present = api.presence.is_present(agent.id);
        let active = loads.get(&agent.id).copied().unwrap_or(0);
        if who.role == Role::Admin {
            return Shown::Account(Account { agent, present, active });
        }
        let Agent { id, name, status, capacity, teams, .. } = agent;
        Shown::Colleague(Colleague { id, name, status, capacity, teams, present, active })
    });
    Ok(Json(Agents { agents: agents.collect() }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
) -> Answer<(StatusCode, Json<NewAccount>)> {
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
    api.storage.add_agent(&agent, &hash).await.map_err(|error| unwritten(error, &agent))?;
    Ok((StatusCode::CREATED, Json(NewAccount { agent, password: made_up })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
) -> Answer<Json<OneAgent>> {
    let mut agent = api.storage.agent(id).await?.ok_or(Refusal::NotFound("agent"))?;
    let (role, enabled, teams) = (agent.role, agent.enabled, agent.teams.clone());
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
    let found = api.storage.update_agent(&agent).await;
    if !found.map_err(|error| unwritten(error, &agent))? {
        return Err(Refusal::NotFound("agent").into());
    }
    api.auth.forget(id);
    api.conversations.wake_routing();
    if (agent.role, agent.enabled) != (role, enabled) {
        api.sessions.end_for(Party::Agent(id), Bye::Unauthorized);
    } else if agent.teams != teams {
        // It comes back by itself and is shown, and follows, what its teams may see.
        api.sessions.end_for(Party::Agent(id), Bye::Draining);
    }
    Ok(Json(OneAgent { agent }))
}

fn unwritten(error: StorageError, agent: &Agent) -> Failure {
    Failure::of_write(error, "login", &agent.login)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: Option<String>,
}

async fn password(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<AgentId>,
    Body(new): Body<NewPassword>,
) -> Answer<Json<MadeUp>> {
    let made_up = new.password.is_none().then(Auth::made_up_password);
    let password = new.password.or_else(|| made_up.clone()).unwrap_or_default();
    api.auth.set_password(id, &password).await?;
    api.sessions.end_for(Party::Agent(id), Bye::Unauthorized);
    Ok(Json(MadeUp { password: made_up }))
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
