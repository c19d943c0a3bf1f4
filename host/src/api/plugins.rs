//! `GET|POST /v1/plugins…`: generations of plugins.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Shared;
use super::answer::Answer;
use super::who::Admin;

pub(super) fn routes(_most_bytes: usize) -> Router<Shared> {
    Router::new().route("/v1/plugins", get(list))
}

async fn list(State(api): State<Shared>, _: Admin) -> Answer<Json<Value>> {
    Ok(Json(json!({ "generations": api.storage.generations().await?, "points": {} })))
}
