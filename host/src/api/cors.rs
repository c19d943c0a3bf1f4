//! CORS for what a widget on a site's page needs, and for nothing else. No credentials: a widget sends its token itself.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Shared, origin};

/// Exact addresses a widget uses; its settings and uploads are added in [`is_for_widgets`]. A WebSocket knows no CORS:
/// `transport` looks at its origin.
const FOR_WIDGETS: [&str; 4] =
    ["/v1/visitors", "/v1/me/conversations", "/v1/events", "/v1/commands"];

/// Answers preflights and marks answers, for origins of enabled sites.
pub async fn allow_sites(State(api): State<Shared>, request: Request, next: Next) -> Response {
    if !is_for_widgets(request.uri().path()) {
        return next.run(request).await;
    }
    let preflight = request.method() == Method::OPTIONS;
    let origin = origin::of(request.headers()).map(str::to_owned);
    let allowed = match origin {
        Some(origin) if knows(&api, &origin).await => HeaderValue::from_str(&origin).ok(),
        _ => None,
    };
    let mut response = match preflight {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let shown = HeaderValue::from_static("Retry-After, ETag");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, shown);
        if preflight {
            let methods = HeaderValue::from_static("GET, POST");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            let sent = HeaderValue::from_static(
                "Authorization, Content-Type, Idempotency-Key, If-None-Match",
            );
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, sent);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    response
}

fn is_for_widgets(path: &str) -> bool {
    let within = |before: &str, after: &str| path.starts_with(before) && path.ends_with(after);
    FOR_WIDGETS.contains(&path)
        || within("/v1/sites/", "/widget")
        || within("/v1/conversations/", "/files")
}

async fn knows(api: &Shared, origin: &str) -> bool {
    let sites = api.storage.sites().await.unwrap_or_default();
    sites.iter().any(|site| site.enabled && origin::is_of(origin, site))
}
