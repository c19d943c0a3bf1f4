//! `POST /v1/visitors`: a token for a visitor of a site. An old valid token keeps the visitor; an identity that the site's
//! own server signed is the same visitor on every device.

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
use crate::auth::Identity;
use crate::domain::ids::{Millis, SiteId, VisitorId};
use crate::domain::people::{Principal, Site, Visitor};
use crate::domain::rate::{Buckets, Rate, network};
use crate::domain::refusal::Refusal;
use crate::runtime::fresh_id;

/// Most networks remembered.
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

/// How fast each address, of IPv6 each /64, makes visitors.
#[derive(Debug)]
pub struct Rates(Mutex<Buckets<IpAddr>>);

impl Default for Rates {
    fn default() -> Self {
        Self(Mutex::new(Buckets::new(REMEMBERED)))
    }
}

impl Rates {
    fn take(&self, address: IpAddr, rate: Rate, now: Millis) -> Result<(), Refusal> {
        let taken = self.0.lock().take(network(address), rate, now);
        taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    /// The site's key.
    site: String,
    /// A former token, to stay the same visitor.
    token: Option<String>,
    identity: Option<Vouched>,
}

/// Who the site's own server says the visitor is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Vouched {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    signature: String,
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
    let known = known(&api, site.id, asked.token.as_deref()).await?;
    let visitor = match (asked.identity, known) {
        (Some(vouched), known) => identified(&api, &site, known, &vouched, address).await?,
        (None, _) if site.widget.identity_required => {
            let why = "this site talks only to people it vouches for: identity is missing";
            return Err(Refusal::Forbidden(why).into());
        }
        (None, Some(visitor)) => visitor,
        (None, None) => {
            let row = fresh(&api, site.id, address)?;
            api.storage.add_visitor(&row).await?;
            row.id
        }
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

/// The visitor with this identity, on whatever device. One who was anonymous until now stays the same visitor, unless
/// the identity is known already.
async fn identified(
    api: &Shared,
    site: &Site,
    known: Option<VisitorId>,
    vouched: &Vouched,
    address: IpAddr,
) -> Answer<VisitorId> {
    let Vouched { id, name, email, signature } = vouched;
    let identity = Identity { id, name, email };
    if let Err(refusal) = api.auth.vouched(site.id, &identity, signature).await {
        // Whoever guesses is slowed down like whoever makes visitors.
        api.visitor_rates.take(address, api.limits.visitors, api.clock.now())?;
        return Err(refusal.into());
    }
    let anonymous = match known {
        Some(known) => api.storage.visitor(known).await?.filter(|row| row.identity.is_none()),
        None => None,
    };
    let row = match anonymous {
        Some(row) => row,
        None => new(api, site.id)?,
    };
    let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let row = Visitor { identity: told(id), name: told(name), email: told(email), ..row };
    Ok(api.storage.identified_visitor(&row).await?.id)
}

fn fresh(api: &Shared, site: SiteId, address: IpAddr) -> Answer<Visitor> {
    api.visitor_rates.take(address, api.limits.visitors, api.clock.now())?;
    new(api, site)
}

fn new(api: &Shared, site: SiteId) -> Answer<Visitor> {
    let id = VisitorId::new(fresh_id(&api.clock)).ok_or(Refusal::Conflict("no id"))?;
    let created_at = api.clock.now();
    Ok(Visitor { id, site, name: None, identity: None, email: None, created_at, last_agent: None })
}

#[cfg(test)]
mod tests;
