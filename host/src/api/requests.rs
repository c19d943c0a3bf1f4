//! Every request: an id that its answer and its log lines carry, and its place in the figures.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::runtime;
use crate::telemetry::Meters;

const ID: HeaderName = HeaderName::from_static("x-request-id");

/// The label of an address that is none of ours.
const ELSEWHERE: &str = "none";

/// Parked on purpose: how long one takes says nothing.
const PARKED: [&str; 2] = ["/v1/events", "/v1/ws"];

/// Names the request, answers it, counts it.
pub async fn watch(State(meters): State<Arc<Meters>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = id_of(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(ELSEWHERE, MatchedPath::as_str);
    let method = word(request.method());
    // Of the highest level, so that it is there whatever is logged.
    let span = tracing::error_span!("request", id = id.to_str().unwrap_or_default(), method, route);
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(ID, id);
    let status = response.status();
    meters.http_requests.with_label_values(&[method, route, status.as_str()]).inc();
    if !PARKED.contains(&route) {
        let took = begun.elapsed().as_secs_f64();
        meters.http_seconds.with_label_values(&[route]).observe(took);
    }
    response
}

/// What the client (or a proxy) calls it, if that is harmless; else made up.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let harmless = |id: &&HeaderValue| {
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    if let Some(id) = headers.get(ID).filter(harmless) {
        return id.clone();
    }
    let id = u64::from_le_bytes(runtime::random_bytes());
    HeaderValue::from_str(&format!("{id:016x}")).unwrap_or(HeaderValue::from_static("-"))
}

/// Of methods there are as many as a client likes to make up.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
