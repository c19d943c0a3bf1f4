//! Who asks. A handler states it as an argument; a request that proves less never reaches it.
//!
//! A bearer token counts as it is. A cookie counts only from our own pages: `Origin` must be ours, and may be missing
//! only where nothing is changed (browsers leave it out of same-origin GETs; the cookie is `SameSite=Strict`).
//! The control socket (`kefu.sock`, mode 0600) needs no token: whoever may open it owns the data anyway.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use super::answer::Failure;
use super::{Api, origin};
use crate::domain::ids::{AgentId, SiteId, VisitorId};
use crate::domain::people::{Principal, Role};
use crate::domain::refusal::Refusal;

/// The cookie that carries an agent's token.
pub(super) const COOKIE: &str = "kefu_session";

/// Marks a request that came through the control socket or from inside the process.
#[derive(Debug, Clone, Copy)]
pub struct LocalAdmin;

/// An account, with its role.
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) role: Role,
    /// Came through the control socket: there is no account behind it.
    pub(super) local: bool,
}

impl Agent {
    pub(super) fn principal(&self) -> Principal {
        Principal::Agent { agent: self.id, role: self.role }
    }
}

/// An account that may see everything.
pub(super) struct Supervisor;

/// An account that may change everything.
pub struct Admin {
    pub(super) id: AgentId,
    local: bool,
}

impl Admin {
    /// Its login, for records of who did something.
    pub(super) async fn login(&self, api: &Api) -> String {
        if self.local {
            return "local".into();
        }
        let account = api.storage.agent(self.id).await.ok().flatten();
        account.map_or_else(|| self.id.to_string(), |account| account.login)
    }
}

/// A visitor or an account.
pub(super) struct Person(pub(super) Principal);

/// A visitor.
pub(super) struct Visitor {
    pub(super) site: SiteId,
    pub(super) visitor: VisitorId,
}

impl FromRequestParts<Arc<Api>> for Agent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Failure> {
        if parts.extensions.get::<LocalAdmin>().is_some() {
            let nobody = AgentId::new(i64::MAX as u64).ok_or(Refusal::Unauthorized("no id"))?;
            return Ok(Self { id: nobody, role: Role::Admin, local: true });
        }
        match principal(parts, api).await? {
            Principal::Agent { agent, role } => Ok(Self { id: agent, role, local: false }),
            Principal::Visitor { .. } => Err(Refusal::Forbidden("this is for agents").into()),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Person {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Failure> {
        Ok(Self(principal(parts, api).await?))
    }
}

impl FromRequestParts<Arc<Api>> for Supervisor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Failure> {
        let agent = Agent::from_request_parts(parts, api).await?;
        match agent.role >= Role::Supervisor {
            true => Ok(Self),
            false => Err(Refusal::Forbidden("this is for supervisors").into()),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Failure> {
        let Agent { id, role, local } = Agent::from_request_parts(parts, api).await?;
        match role == Role::Admin {
            true => Ok(Self { id, local }),
            false => Err(Refusal::Forbidden("this is for admins").into()),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Failure> {
        match principal(parts, api).await? {
            Principal::Visitor { site, visitor } => Ok(Self { site, visitor }),
            Principal::Agent { .. } => Err(Refusal::Forbidden("this is for visitors").into()),
        }
    }
}

async fn principal(parts: &Parts, api: &Api) -> Result<Principal, Failure> {
    let headers = &parts.headers;
    if let Some(token) = bearer(headers) {
        return Ok(api.auth.verify(token).await?);
    }
    let token = cookie(headers).ok_or(Refusal::Unauthorized(missing(headers)))?;
    if !from_our_pages(&parts.method, headers, &api.public_url) {
        return Err(Refusal::Forbidden("a cookie counts only from our own pages").into());
    }
    Ok(api.auth.verify(token).await?)
}

fn missing(headers: &HeaderMap) -> &'static str {
    match headers.contains_key(header::AUTHORIZATION) {
        true => "the Authorization header is not `Bearer` and a token",
        false => "no token",
    }
}

fn from_our_pages(method: &Method, headers: &HeaderMap, public_url: &str) -> bool {
    match origin::of(headers) {
        Some(origin) => origin::is_ours(origin, headers, public_url),
        None => method.is_safe(),
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|p| p.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}
