//! `GET /v1/sites/{key}/widget`: what a site's widget is told before anything is said.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::body::Place;
use super::contract::{Routes, Who, op};
use super::{Shared, origin};
use crate::config::Limits;
use crate::domain::agent::Status;
use crate::domain::people::{FormField, Site};
use crate::domain::refusal::Refusal;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new().get(
        "/v1/sites/{key}/widget",
        settings,
        op("getWidget", "What a site's widget is told before anything is said.", Who::Anyone)
            .at::<String>()
            .gives::<Widget>(200)
            .tagged()
            .may(&[403, 404, 503]),
    )
}

/// What a widget is told.
#[derive(Serialize, JsonSchema)]
struct Widget {
    site: Named,
    enabled: bool,
    color: String,
    position: String,
    greeting: BTreeMap<String, String>,
    fields: Vec<FormField>,
    /// Only visitors for whom the site's server vouches may open conversations.
    identity_required: bool,
    /// An agent of the site's team is there.
    online: bool,
    limits: Bounds,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WidgetSite")]
struct Named {
    key: String,
    name: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WidgetLimits")]
struct Bounds {
    text_bytes: usize,
    field_bytes: usize,
    file_bytes: u64,
    /// MIME types that may be sent.
    file_types: Vec<&'static str>,
}

async fn settings(
    State(api): State<Shared>,
    Place(key): Place<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let site = site_for(&api, &key, &headers).await?;
    let Limits { text_bytes, field_bytes, file_bytes, .. } = api.limits;
    let file_types = api.limits.file_types.clone();
    let online = is_online(&api, &site).await?;
    let body = Widget {
        site: Named { key: site.key, name: site.name },
        enabled: site.enabled,
        color: site.widget.color,
        position: site.widget.position,
        greeting: site.widget.greeting,
        fields: site.widget.fields,
        identity_required: site.widget.identity_required,
        online,
        limits: Bounds { text_bytes, field_bytes, file_bytes, file_types },
    };
    let text = serde_json::to_vec(&body).unwrap_or_default();
    let tag = super::pages::etag(&text);
    let known =
        headers.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(body).into_response(),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    let cache = HeaderValue::from_static("no-cache");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    Ok(response)
}

/// The site, if this request's page may talk as it.
pub(super) async fn site_for(api: &Shared, key: &str, headers: &HeaderMap) -> Answer<Site> {
    let site = api.storage.site_by_key(key).await?.ok_or(Refusal::NotFound("site"))?;
    let may = origin::of(headers).is_none_or(|origin| {
        origin::is_of(origin, &site) || origin::is_ours(origin, headers, &api.public_url)
    });
    if may {
        Ok(site)
    } else {
        Err(Refusal::Forbidden("this page is not one of the site's").into())
    }
}

async fn is_online(api: &Shared, site: &Site) -> Answer<bool> {
    let agents = api.storage.agents().await?;
    Ok(agents.iter().any(|agent| {
        agent.enabled
            && agent.status == Status::Online
            && agent.teams.contains(&site.team)
            && api.presence.is_present(agent.id)
    }))
}
