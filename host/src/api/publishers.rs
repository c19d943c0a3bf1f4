//! `GET /v1/plugins/trust`, `POST /v1/plugins/keys`, `POST /v1/plugins/keys/distrust`, `POST /v1/plugins/revocations`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::Answer;
use super::body::Body;
use super::contract::{Routes, Who, op};
use super::who::Admin;
use crate::domain::refusal::Refusal;
use crate::plugins::trust::{LARGEST_LIST, Trust};
use crate::storage::{Generation, PublisherKey};

pub(super) fn routes() -> Routes<Shared> {
    Routes::new()
        .get(
            "/v1/plugins/trust",
            show,
            op(
                "getPluginTrust",
                "What plugins must be, who is trusted, what is revoked.",
                Who::Admin,
            )
            .gives::<Trust>(200),
        )
        .post(
            "/v1/plugins/keys",
            trust,
            op("trustPluginKey", "Trusts a key for a publisher.", Who::Admin)
                .takes::<NewKey>()
                .gives::<OneKey>(201),
        )
        .post(
            "/v1/plugins/keys/distrust",
            distrust,
            op("distrustPluginKey", "Trusts a key no longer.", Who::Admin)
                .takes::<OldKey>()
                .gives::<TakenOut>(200),
        )
        .post(
            "/v1/plugins/revocations",
            revoke,
            op("revokePlugins", "Takes in a publisher's signed revocation list.", Who::Admin)
                .takes_bytes("text/plain")
                .gives::<TakenOut>(200),
        )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// For whose packages.
    publisher: String,
    /// `ed25519:` and 64 hexadecimal digits.
    key: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OldKey {
    key: String,
}

#[derive(Serialize, JsonSchema)]
struct OneKey {
    key: PublisherKey,
}

#[derive(Serialize, JsonSchema)]
struct TakenOut {
    /// Generations that served and are not allowed any more.
    taken_out: Vec<Generation>,
}

async fn show(State(api): State<Shared>, _: Admin) -> Answer<Json<Trust>> {
    Ok(Json(api.plugins.trust().await?))
}

async fn trust(
    State(api): State<Shared>,
    admin: Admin,
    Body(new): Body<NewKey>,
) -> Answer<(StatusCode, Json<OneKey>)> {
    let by = admin.login(&api).await;
    let key = api.plugins.trust_key(&new.publisher, &new.key, by).await?;
    Ok((StatusCode::CREATED, Json(OneKey { key })))
}

async fn distrust(
    State(api): State<Shared>,
    _: Admin,
    Body(old): Body<OldKey>,
) -> Answer<Json<TakenOut>> {
    Ok(Json(TakenOut { taken_out: api.plugins.distrust_key(&old.key).await? }))
}

async fn revoke(
    State(api): State<Shared>,
    _: Admin,
    list: Result<Bytes, BytesRejection>,
) -> Answer<Json<TakenOut>> {
    let limit = LARGEST_LIST;
    let list = list.map_err(|_| Refusal::TooLarge { what: "a revocation list", limit })?;
    let refuse = |_| Refusal::BadFrame("a revocation list is UTF-8".into());
    let list = std::str::from_utf8(&list).map_err(refuse)?;
    Ok(Json(TakenOut { taken_out: api.plugins.revoke(list).await? }))
}
