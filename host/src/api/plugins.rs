//! `GET|POST /v1/plugins`, `POST /v1/plugins/{id}/activate`, `POST /v1/plugins/{id}/configure`,
//! `POST /v1/plugins/{id}/remove`, `POST /v1/plugins/restore`, `POST /v1/plugins/points/{point}/rollback`.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Shared;
use super::answer::{Answer, Failure};
use super::body::{Asked, Body, Place};
use super::contract::{Routes, Who, op};
use super::who::Admin;
use crate::domain::ids::GenerationId;
use crate::domain::plugin::Point;
use crate::domain::refusal::Refusal;
use crate::plugins::{Install, PointStats, Refused};
use crate::storage::{Generation, Origin, Stage};

pub(super) fn routes(most_bytes: usize) -> Routes<Shared> {
    Routes::new()
        .get(
            "/v1/plugins",
            list,
            op("listPlugins", "All generations, and what each point does.", Who::Admin)
                .gives::<Plugins>(200),
        )
        .post(
            "/v1/plugins",
            install,
            op(
                "installPlugin",
                "Checks a package (`.kplug`), or a component where those are taken, and keeps it, not \
                 yet serving.",
                Who::Admin,
            )
                .asks::<About>()
                .takes_bytes("application/octet-stream")
                .gives::<OneGeneration>(201),
        )
        .post(
            "/v1/plugins/{id}/activate",
            activate,
            op("activatePlugin", "Lets a generation serve.", Who::Admin)
                .at::<GenerationId>()
                .gives::<OneGeneration>(200)
                .may(&[404]),
        )
        .post(
            "/v1/plugins/{id}/configure",
            configure,
            op(
                "configurePlugin",
                "Keeps the code of a generation with another config, as a new one, not yet serving.",
                Who::Admin,
            )
            .at::<GenerationId>()
            .takes::<NewConfig>()
            .gives::<OneGeneration>(201)
            .may(&[404]),
        )
        .post(
            "/v1/plugins/{id}/remove",
            remove,
            op("removePlugin", "Forgets a generation that does not serve.", Who::Admin)
                .at::<GenerationId>()
                .gives::<OneGeneration>(200)
                .may(&[404, 409]),
        )
        .post(
            "/v1/plugins/restore",
            restore,
            op(
                "restorePlugin",
                "Installs a plugin that comes with the program once more, not yet serving.",
                Who::Admin,
            )
            .takes::<Shipped>()
            .gives::<OneGeneration>(201),
        )
        .post(
            "/v1/plugins/points/{point}/rollback",
            rollback,
            op("rollBackPlugin", "Lets the generation before serve again.", Who::Admin)
                .at::<Point>()
                .gives::<OneGeneration>(200)
                .may(&[404]),
        )
        .with(|router| router.layer(DefaultBodyLimit::max(most_bytes)))
}

#[derive(Serialize, JsonSchema)]
struct Plugins {
    /// Newest first.
    generations: Vec<Generation>,
    points: BTreeMap<Point, Figures>,
}

/// What a point does.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PointFigures")]
struct Figures {
    /// The generation that serves.
    active: Option<GenerationId>,
    #[serde(flatten)]
    stats: PointStats,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewConfig {
    /// As the plugin's schema has it.
    config: Map<String, Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shipped {
    /// Its name, as `round-robin`.
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct OneGeneration {
    generation: Generation,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Rejected(why) => Self(Refusal::Invalid { field: "plugin", rule: why }),
            Refused::NotFound => Self(Refusal::NotFound("plugin generation")),
            Refused::Serves => Self(Refusal::Conflict("it serves")),
            Refused::Storage(error) => error.into(),
        }
    }
}

async fn list(State(api): State<Shared>, _: Admin) -> Answer<Json<Plugins>> {
    let generations = api.storage.generations().await?;
    let serving = |point: Point| {
        let active = |row: &&Generation| row.point == point && row.stage == Stage::Active;
        generations.iter().find(active).map(|row| row.id)
    };
    let stats = api.plugins.stats().into_iter();
    let points = stats.map(|stats| (stats.point, Figures { active: serving(stats.point), stats }));
    let points = points.collect();
    Ok(Json(Plugins { generations, points }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct About {
    /// Name of a component, as people see it; a package has its own.
    name: Option<String>,
    /// Version of a component; a package has its own.
    version: Option<String>,
    /// Its config, a JSON document; `{}` when not given.
    config: Option<String>,
}

async fn install(
    State(api): State<Shared>,
    admin: Admin,
    Asked(about): Asked<About>,
    bytes: Result<Bytes, BytesRejection>,
) -> Answer<(StatusCode, Json<OneGeneration>)> {
    let limit = api.limits.plugin_bytes;
    let bytes = bytes.map_err(|_| Refusal::TooLarge { what: "a plugin", limit })?;
    let install = Install {
        bytes: bytes.into(),
        named: (about.name.unwrap_or_default(), about.version.unwrap_or_default()),
        origin: Origin::Installed,
        config: about.config.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| "{}".into()),
        created_by: admin.login(&api).await,
    };
    let generation = api.plugins.install(install).await?;
    Ok((StatusCode::CREATED, Json(OneGeneration { generation })))
}

async fn activate(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<GenerationId>,
) -> Answer<Json<OneGeneration>> {
    Ok(Json(OneGeneration { generation: api.plugins.activate(id).await? }))
}

async fn configure(
    State(api): State<Shared>,
    admin: Admin,
    Place(id): Place<GenerationId>,
    Body(new): Body<NewConfig>,
) -> Answer<(StatusCode, Json<OneGeneration>)> {
    let (config, by) = (Value::Object(new.config).to_string(), admin.login(&api).await);
    let generation = api.plugins.configure(id, config, by).await?;
    Ok((StatusCode::CREATED, Json(OneGeneration { generation })))
}

async fn remove(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<GenerationId>,
) -> Answer<Json<OneGeneration>> {
    Ok(Json(OneGeneration { generation: api.plugins.remove(id).await? }))
}

async fn restore(
    State(api): State<Shared>,
    admin: Admin,
    Body(shipped): Body<Shipped>,
) -> Answer<(StatusCode, Json<OneGeneration>)> {
    let by = admin.login(&api).await;
    let generation = api.plugins.restore_shipped(&shipped.name, by).await?;
    Ok((StatusCode::CREATED, Json(OneGeneration { generation })))
}

async fn rollback(
    State(api): State<Shared>,
    _: Admin,
    Place(point): Place<Point>,
) -> Answer<Json<OneGeneration>> {
    let generation = api.plugins.rollback(point).await.map_err(|refused| match refused {
        Refused::NotFound => Failure(Refusal::NotFound("generation before this one")),
        other => other.into(),
    })?;
    Ok(Json(OneGeneration { generation }))
}
