//! `POST /v1/visitors`: a token for a visitor of a site. An old valid token keeps the visitor.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::answer::Answer;
use super::body::Body;
use super::contract::{Routes, Who, op};
use super::{Shared, widget};
use crate::domain::ids::{Millis, SiteId, VisitorId};
use crate::domain::people::{Principal, Visitor};
use crate::domain::rate::{Bucket, Rate};
use crate::domain::refusal::Refusal;
use crate::runtime::fresh_id;

/// Most addresses remembered; beyond it the memory is emptied.
const REMEMBERED: usize = 50_000;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new().post(
        "/v1/visitors",
        visitor,
        op("startVisit", "A visitor's token; an old valid one keeps the visitor.", Who::Anyone)
            .takes::<Asked>()
            .gives::<Visit>(200)
            .may(&[403, 404, 429]),
    )
}

#[derive(Serialize, JsonSchema)]
struct Visit {
    token: String,
    visitor: VisitorId,
    expires_at: Millis,
}

/// How fast each address makes visitors.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<IpAddr, Bucket>>);

impl Rates {
    fn take(&self, address: IpAddr, rate: Rate, now: Millis) -> Result<(), Refusal> {
        let mut buckets = self.0.lock();
        if buckets.len() >= REMEMBERED {
            buckets.clear();
        }
        let bucket = buckets.entry(address).or_insert_with(|| Bucket::full(rate, now));
        bucket.take(rate, now).map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    /// The site's key.
    site: String,
    /// A former token, to stay the same visitor.
    token: Option<String>,
}

async fn visitor(
    State(api): State<Shared>,
    Address(address): Address,
    headers: HeaderMap,
    Body(asked): Body<Asked>,
) -> Answer<Json<Visit>> {
    let site = widget::site_for(&api, &asked.site, &headers).await?;
    if !site.enabled {
        return Err(Refusal::Forbidden("the site is switched off").into());
    }
    let visitor = match known(&api, site.id, asked.token.as_deref()).await? {
        Some(visitor) => visitor,
        None => fresh(&api, site.id, address).await?,
    };
    let issued = api.auth.visitor_token(site.id, visitor);
    Ok(Json(Visit { token: issued.token, visitor, expires_at: issued.expires_at }))
}

async fn known(api: &Shared, here: SiteId, token: Option<&str>) -> Answer<Option<VisitorId>> {
    let Some(token) = token else { return Ok(None) };
    let Ok(Principal::Visitor { site, visitor }) = api.auth.verify(token).await else {
        return Ok(None);
    };
    let row = api.storage.visitor(visitor).await?;
    Ok(row.filter(|_| site == here).map(|row| row.id))
}

async fn fresh(api: &Shared, site: SiteId, address: IpAddr) -> Answer<VisitorId> {
    let now = api.clock.now();
    api.visitor_rates.take(address, api.limits.visitors, now)?;
    let id = VisitorId::new(fresh_id(&api.clock)).ok_or(Refusal::Conflict("no id"))?;
    let row = Visitor { id, site, name: None, created_at: now, last_agent: None };
    api.storage.add_visitor(&row).await?;
    Ok(id)
}
