//! `GET|POST /v1/plugins`, `POST /v1/plugins/{id}/activate`, `POST /v1/plugins/points/{point}/rollback`.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::answer::{Answer, Failure};
use super::body::{Asked, Place};
use super::who::Admin;
use crate::domain::ids::GenerationId;
use crate::domain::plugin::Point;
use crate::domain::refusal::Refusal;
use crate::plugins::{Install, Refused};
use crate::storage::{Generation, Stage};

pub(super) fn routes(most_bytes: usize) -> Router<Shared> {
    let all = get(list).post(install).layer(DefaultBodyLimit::max(most_bytes));
    Router::new()
        .route("/v1/plugins", all)
        .route("/v1/plugins/{id}/activate", post(activate))
        .route("/v1/plugins/points/{point}/rollback", post(rollback))
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Rejected(why) => Self(Refusal::Invalid { field: "plugin", rule: why }),
            Refused::NotFound => Self(Refusal::NotFound("plugin generation")),
            Refused::Storage(error) => error.into(),
        }
    }
}

async fn list(State(api): State<Shared>, _: Admin) -> Answer<Json<Value>> {
    let generations = api.storage.generations().await?;
    let mut points = Map::new();
    for stats in api.plugins.stats() {
        let name = serde_json::to_value(stats.point).unwrap_or_default();
        let active = |row: &&Generation| row.point == stats.point && row.stage == Stage::Active;
        let active = generations.iter().find(active).map(|row| row.id);
        let point = json!({
            "active": active,
            "calls": stats.calls,
            "answered": stats.answered,
            "no_opinion": stats.no_opinion,
            "errors": stats.errors,
            "faults": stats.faults,
            "absent": stats.absent,
            "fuel": stats.fuel,
            "p50_us": stats.p50_us,
            "p99_us": stats.p99_us,
        });
        points.insert(name.as_str().unwrap_or_default().to_owned(), point);
    }
    Ok(Json(json!({ "generations": generations, "points": points })))
}

#[derive(Deserialize)]
struct About {
    name: String,
    version: String,
    config: Option<String>,
}

async fn install(
    State(api): State<Shared>,
    admin: Admin,
    Asked(about): Asked<About>,
    component: Result<Bytes, BytesRejection>,
) -> Answer<(StatusCode, Json<Value>)> {
    let limit = api.limits.plugin_bytes;
    let component = component.map_err(|_| Refusal::TooLarge { what: "a plugin", limit })?;
    let install = Install {
        name: about.name,
        version: about.version,
        component: component.into(),
        config: about.config.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| "{}".into()),
        created_by: admin.login(&api).await,
    };
    let generation = api.plugins.install(install).await?;
    Ok((StatusCode::CREATED, Json(json!({ "generation": generation }))))
}

async fn activate(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<GenerationId>,
) -> Answer<Json<Value>> {
    Ok(Json(json!({ "generation": api.plugins.activate(id).await? })))
}

async fn rollback(
    State(api): State<Shared>,
    _: Admin,
    Place(point): Place<Point>,
) -> Answer<Json<Value>> {
    Ok(Json(json!({ "generation": api.plugins.rollback(point).await? })))
}
