//! Origins: whether a page that sends a request is ours, or one of a site's.

use axum::http::{HeaderMap, header};

use crate::domain::people::Site;

/// The `Origin` header.
pub(super) fn of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN)?.to_str().ok()
}

/// Whether an origin is our own: `public_url`, or, when that is not set, the host this request asked for.
pub(super) fn is_ours(origin: &str, headers: &HeaderMap, public_url: &str) -> bool {
    if !public_url.is_empty() {
        return origin.eq_ignore_ascii_case(public_url);
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    matches!((host, named), (Some(host), Some(named)) if host.eq_ignore_ascii_case(named))
}

/// Whether a site's pages have this origin.
pub(super) fn is_of(origin: &str, site: &Site) -> bool {
    site.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}
