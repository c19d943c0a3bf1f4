//! `POST /v1/login`, `POST /v1/logout`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::address::Address;
use super::answer::Answer;
use super::body::Body;
use super::who::COOKIE;
use super::{Api, Shared, origin};
use crate::auth::Issued;
use crate::domain::refusal::Refusal;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/login", post(login)).route("/v1/logout", post(logout))
}

#[derive(Deserialize)]
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
    let answer = json!({ "token": issued.token, "agent": agent, "expires_at": issued.expires_at });
    Ok(with_cookie(&api, &issued, Json(answer).into_response()))
}

async fn logout(State(api): State<Shared>) -> Response {
    let gone = Issued { token: String::new(), expires_at: 0 };
    with_cookie(&api, &gone, StatusCode::NO_CONTENT.into_response())
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
