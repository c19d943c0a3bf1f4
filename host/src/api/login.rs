//! `POST /v1/login`, `POST /v1/logout`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::answer::{Answer, Failure};
use super::body::Body;
use super::contract::{Routes, Who, op};
use super::who::{self, COOKIE};
use super::{Api, Shared, origin};
use crate::auth::Issued;
use crate::domain::agent::Agent;
use crate::domain::ids::Millis;
use crate::domain::people::Party;
use crate::domain::refusal::Refusal;
use crate::sessions::Bye;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new()
        .post(
            "/v1/login",
            login,
            op("signIn", "A token, also as the cookie, for a login and its password.", Who::Anyone)
                .takes::<Credentials>()
                .gives::<SignedIn>(200)
                .may(&[401, 403, 429]),
        )
        .post(
            "/v1/logout",
            logout,
            op(
                "signOut",
                "Withdraws all tokens of the account and ends its sessions.",
                Who::Anyone,
            )
            .gives_nothing(204),
        )
}

#[derive(Serialize, JsonSchema)]
struct SignedIn {
    token: String,
    agent: Agent,
    expires_at: Millis,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    login: String,
    password: String,
}

async fn login(
    State(api): State<Shared>,
    Address(address): Address,
    headers: HeaderMap,
    Body(sent): Body<Credentials>,
) -> Answer<Response> {
    if let Some(origin) = origin::of(&headers)
        && !origin::is_ours(origin, &headers, &api.public_url)
    {
        return Err(Refusal::Forbidden("sign in from our own pages").into());
    }
    let login = sent.login.trim().to_lowercase();
    let (agent, issued) = api.auth.login(address, &login, &sent.password).await?;
    let answer = SignedIn { token: issued.token.clone(), agent, expires_at: issued.expires_at };
    Ok(with_cookie(&api, &issued, Json(answer).into_response()))
}

/// A token cannot be withdrawn alone, so the account is signed out everywhere. Without one there is only the cookie.
async fn logout(State(api): State<Shared>, who: Result<who::Agent, Failure>) -> Answer<Response> {
    if let Ok(who::Agent { id, local: false, .. }) = who
        && let Some(mut account) = api.storage.agent(id).await?
    {
        account.epoch += 1;
        api.storage.update_agent(&account).await?;
        api.auth.forget(id);
        api.sessions.end_for(Party::Agent(id), Bye::Unauthorized);
    }
    let gone = Issued { token: String::new(), expires_at: 0 };
    Ok(with_cookie(&api, &gone, StatusCode::NO_CONTENT.into_response()))
}

/// Sets the session cookie; one that has expired is deleted.
pub(super) fn with_cookie(api: &Api, issued: &Issued, mut response: Response) -> Response {
    let seconds = issued.expires_at.saturating_sub(api.clock.now()) / 1000;
    let secure = if api.public_url.starts_with("https://") { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}",
        issued.token
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
