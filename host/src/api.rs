//! The HTTP API: one file per group of endpoints, and the web pages.
//!
//! A handler checks who asks (by its arguments: `who`), reads its body (`body`), asks storage or a service, and
//! answers JSON or a `answer::Failure`. Rules of the business are not here; frames are in `transport`.

mod address;
mod agents;
mod answer;
mod body;
mod carriers;
pub mod contract;
mod conversations;
mod cors;
mod document;
mod files;
mod login;
mod me;
mod origin;
mod pages;
mod plugins;
mod publishers;
mod requests;
mod rules;
mod sites;
mod stats;
mod teams;
mod visitors;
mod who;
mod widget;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;

use contract::{Entry, Routes};

use crate::auth::Auth;
use crate::config::{self, Network};
use crate::conversations::Conversations;
use crate::files::Files;
use crate::plugins::Plugins;
use crate::presence::Presence;
use crate::runtime::Clock;
use crate::sessions::Sessions;
use crate::storage;

pub use answer::Failure;
pub use cors::allow_sites;
pub use requests::watch;
pub use who::{Admin, LocalAdmin};

/// What handlers work with.
pub struct Api {
    /// Rows.
    pub storage: storage::Handle,
    /// Tokens and passwords.
    pub auth: Arc<Auth>,
    /// The service.
    pub conversations: Arc<Conversations>,
    /// For figures.
    pub sessions: Arc<Sessions>,
    /// Who is there.
    pub presence: Arc<Presence>,
    /// The plugin host.
    pub plugins: Arc<Plugins>,
    /// Bytes of files.
    pub files: Arc<Files>,
    /// The clock.
    pub clock: Clock,
    /// Sizes and rates.
    pub limits: config::Limits,
    /// Our own origin; empty: whatever the request's `Host` says.
    pub public_url: String,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// New visitors per address.
    pub visitor_rates: visitors::Rates,
}

/// A shared handle.
pub type Shared = Arc<Api>;

/// Everything under `/v1` but the two carriers.
fn declared(plugin_bytes: usize) -> Routes<Shared> {
    agents::routes()
        .and(conversations::routes())
        .and(files::routes())
        .and(login::routes())
        .and(me::routes())
        .and(plugins::routes(plugin_bytes))
        .and(publishers::routes())
        .and(sites::routes())
        .and(stats::routes())
        .and(teams::routes())
        .and(visitors::routes())
        .and(widget::routes())
}

/// The API's routes, its document and the pages, beside `others`: routes that are served elsewhere, with what is
/// promised about them. Whatever is asked of an address or method that is none is answered here.
pub fn routes(api: Shared, others: Router, promised: Vec<Entry>) -> Router {
    let (router, mut entries) = declared(api.limits.plugin_bytes).apart();
    entries.extend(promised);
    router
        .merge(pages::routes())
        .with_state(api)
        .merge(document::route(written(entries)))
        .merge(others)
        .fallback(answer::nothing_here)
        .method_not_allowed_fallback(answer::wrong_method)
}

/// The OpenAPI document of the whole server.
#[must_use]
pub fn openapi(promised: Vec<Entry>) -> String {
    let (_, mut entries) = declared(0).apart();
    entries.extend(promised);
    written(entries)
}

fn written(mut entries: Vec<Entry>) -> String {
    entries.extend(carriers::entries());
    document::text(&entries)
}
