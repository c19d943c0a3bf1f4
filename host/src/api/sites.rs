//! `GET|POST /v1/sites`, `PATCH /v1/sites/{id}`, `GET|POST /v1/sites/{id}/identity-secret`.

mod settings;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Failure};
use super::body::{Body, Place};
use super::contract::{Routes, Who, op};
use super::who::{Admin, Agent};
use super::{Shared, rules};
use crate::domain::ids::{SiteId, TeamId};
use crate::domain::people::{Site, WidgetSettings};
use crate::domain::refusal::Refusal;
use crate::runtime::fresh_id;
use crate::storage::StorageError;
use settings::Settings;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new()
        .get("/v1/sites", list, op("listSites", "All sites.", Who::Agent).gives::<Sites>(200))
        .post(
            "/v1/sites",
            add,
            op("addSite", "Adds a site.", Who::Admin).takes::<NewSite>().gives::<OneSite>(201),
        )
        .patch(
            "/v1/sites/{id}",
            change,
            op("changeSite", "Changes what is given of a site.", Who::Admin)
                .at::<SiteId>()
                .takes::<Changes>()
                .gives::<OneSite>(200)
                .may(&[404]),
        )
        .get(
            "/v1/sites/{id}/identity-secret",
            secret,
            op("identitySecret", "The secret that signs the site's visitors.", Who::Admin)
                .at::<SiteId>()
                .gives::<Secret>(200)
                .may(&[404]),
        )
        .post(
            "/v1/sites/{id}/identity-secret",
            new_secret,
            op("newIdentitySecret", "A new secret; the old one counts no longer.", Who::Admin)
                .at::<SiteId>()
                .gives::<Secret>(200)
                .may(&[404]),
        )
}

#[derive(Serialize, JsonSchema)]
struct Sites {
    sites: Vec<Site>,
}

#[derive(Serialize, JsonSchema)]
struct OneSite {
    site: Site,
}

async fn list(State(api): State<Shared>, _: Agent) -> Answer<Json<Sites>> {
    Ok(Json(Sites { sites: api.storage.sites().await? }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSite {
    key: String,
    name: String,
    team: TeamId,
    #[serde(default)]
    origins: Vec<String>,
    widget: Option<Settings>,
    enabled: Option<bool>,
}

async fn add(
    State(api): State<Shared>,
    _: Admin,
    Body(new): Body<NewSite>,
) -> Answer<(StatusCode, Json<OneSite>)> {
    let site = Site {
        id: SiteId::new(fresh_id(&api.clock)).ok_or(Refusal::Conflict("no id"))?,
        key: new.key,
        name: new.name.trim().to_owned(),
        team: new.team,
        origins: new.origins,
        widget: new.widget.unwrap_or_default().over(WidgetSettings::default()),
        enabled: new.enabled.unwrap_or(true),
    };
    check(&api, &site).await?;
    api.storage.add_site(&site).await.map_err(|error| unwritten(error, &site))?;
    Ok((StatusCode::CREATED, Json(OneSite { site })))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Changes {
    key: Option<String>,
    name: Option<String>,
    team: Option<TeamId>,
    origins: Option<Vec<String>>,
    /// Only what is given of it changes.
    widget: Option<Settings>,
    enabled: Option<bool>,
}

async fn change(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<SiteId>,
    Body(changes): Body<Changes>,
) -> Answer<Json<OneSite>> {
    let old = api.storage.site(id).await?.ok_or(Refusal::NotFound("site"))?;
    let site = Site {
        id,
        key: changes.key.unwrap_or(old.key),
        name: changes.name.unwrap_or(old.name),
        team: changes.team.unwrap_or(old.team),
        origins: changes.origins.unwrap_or(old.origins),
        widget: changes.widget.unwrap_or_default().over(old.widget),
        enabled: changes.enabled.unwrap_or(old.enabled),
    };
    check(&api, &site).await?;
    let found = api.storage.update_site(&site).await;
    if !found.map_err(|error| unwritten(error, &site))? {
        return Err(Refusal::NotFound("site").into());
    }
    Ok(Json(OneSite { site }))
}

fn unwritten(error: StorageError, site: &Site) -> Failure {
    Failure::of_write(error, "site key", &site.key)
}

/// Never in anything that a visitor's page gets.
#[derive(Serialize, JsonSchema)]
struct Secret {
    secret: String,
}

async fn secret(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<SiteId>,
) -> Answer<Json<Secret>> {
    let site = api.storage.site(id).await?.ok_or(Refusal::NotFound("site"))?;
    Ok(Json(Secret { secret: api.auth.identity_secret(site.id).await? }))
}

/// Identities signed with the old secret count no longer; visitors who have their token stay who they are.
async fn new_secret(
    State(api): State<Shared>,
    _: Admin,
    Place(id): Place<SiteId>,
) -> Answer<Json<Secret>> {
    let site = api.storage.site(id).await?.ok_or(Refusal::NotFound("site"))?;
    Ok(Json(Secret { secret: api.auth.rotate_identity_secret(site.id).await? }))
}

async fn check(api: &Shared, site: &Site) -> Answer<()> {
    rules::site(site)?;
    let teams = api.storage.teams().await?;
    match teams.iter().any(|team| team.id == site.team) {
        true => Ok(()),
        false => Err(Refusal::Invalid { field: "team", rule: "must exist".into() }.into()),
    }
}
