//! The web pages, embedded in the program: the widget's script, the console, the demo and the stand-alone chat page.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use super::Shared;
use super::answer::Failure;
use crate::domain::refusal::Refusal;

/// `web/dist`, as `build.rs` found it.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/web"]
#[allow_missing = true]
struct Files;

/// The console runs nothing that is not ours, talks to nobody else and turns no text into markup.
const CONSOLE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types vue";

/// The chat and demo pages: the widget puts its styles into a shadow root.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'";

/// Files whose name contains a hash of their content.
const HASHED: [&str; 2] = ["assets/", "widget-"];

/// Forms in which `web/scripts/compress.mjs` leaves files beside the plain ones, the smaller first.
const PACKINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/console/") }))
        .route("/console", get(|| async { Redirect::permanent("/console/") }))
        .route("/console/", get(console_start))
        .route("/console/{*path}", get(console))
        .route("/demo/{site}", get(demo))
        .route("/chat/{site}", get(chat))
        .route("/assets/{*path}", get(asset))
        .route("/{file}", get(top))
}

async fn console_start(headers: HeaderMap) -> Result<Response, Failure> {
    file("console/index.html", &headers, Some(CONSOLE_POLICY))
}

/// A file of the console, or its start page: the console has addresses of its own.
async fn console(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let name = format!("console/{path}");
    match Files::get(&name) {
        Some(_) => file(&name, &headers, Some(CONSOLE_POLICY)),
        None if path.contains('.') => Err(Refusal::NotFound("page").into()),
        None => console_start(headers).await,
    }
}

async fn demo(headers: HeaderMap) -> Result<Response, Failure> {
    file("demo.html", &headers, Some(PAGE_POLICY))
}

async fn chat(headers: HeaderMap) -> Result<Response, Failure> {
    file("chat.html", &headers, Some(PAGE_POLICY))
}

/// `kefu.js` and what it and the pages load.
async fn top(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    file(&name, &headers, name.ends_with(".html").then_some(PAGE_POLICY))
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    file(&format!("assets/{path}"), &headers, None)
}

fn file(name: &str, asked: &HeaderMap, policy: Option<&'static str>) -> Result<Response, Failure> {
    let plain = Files::get(name).filter(|_| !PACKINGS.iter().any(|(_, end)| name.ends_with(end)));
    let Some(plain) = plain else {
        return Err(Refusal::NotFound("page (built without web pages?)").into());
    };
    let kind = content_type(plain.metadata.mimetype());
    let (EmbeddedFile { data, metadata }, coding) = match packed(name, asked) {
        Some((file, coding)) => (file, Some(coding)),
        None => (plain, None),
    };
    let tag = etag(&metadata.sha256_hash());
    let known =
        asked.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => data.into_owned().into_response(),
    };
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(coding) = coding.filter(|_| !known) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    let cache = match HASHED.iter().any(|mark| name.contains(mark)) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    } else {
        // The widget's script and its assets are loaded by other sites' pages.
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    Ok(response)
}

/// The smallest form of a file that the client takes.
fn packed(name: &str, asked: &HeaderMap) -> Option<(EmbeddedFile, &'static str)> {
    let (coding, end) = PACKINGS.iter().find(|(coding, _)| accepts(asked, coding))?;
    Some((Files::get(&format!("{name}{end}"))?, coding))
}

/// Whether a coding is named in `Accept-Encoding` and not with weight 0 (RFC 9110, 12.5.3). A client
/// that names none gets the plain file.
fn accepts(asked: &HeaderMap, coding: &str) -> bool {
    let named = |part: &str| {
        let mut words = part.split(';').map(str::trim);
        let same = words.next().is_some_and(|word| word.eq_ignore_ascii_case(coding));
        let weight = words.find_map(|word| word.strip_prefix("q="));
        same && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    };
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter();
    lists.filter_map(|list| list.to_str().ok()).any(|list| list.split(',').any(named))
}

fn content_type(kind: &str) -> String {
    match kind.starts_with("text/") || kind == "application/json" {
        true => format!("{kind}; charset=utf-8"),
        false => kind.to_owned(),
    }
}

/// A strong entity tag of some bytes.
pub(super) fn etag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests;
