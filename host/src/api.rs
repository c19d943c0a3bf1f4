//! The HTTP API: one file per group of endpoints, and the web pages.
//!
//! A handler checks who asks (by its arguments: `who`), reads its body (`body`), asks storage or a service, and
//! answers JSON or a `answer::Failure`. Rules of the business are not here; frames are in `transport`.

mod address;
mod agents;
mod answer;
mod body;
mod conversations;
mod cors;
mod files;
mod login;
mod me;
mod origin;
mod pages;
mod plugins;
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

/// Everything under `/v1` but the two carriers, and the pages.
pub fn routes(api: Shared) -> Router {
    Router::new()
        .merge(agents::routes())
        .merge(conversations::routes())
        .merge(files::routes())
        .merge(login::routes())
        .merge(me::routes())
        .merge(plugins::routes(api.limits.plugin_bytes))
        .merge(sites::routes())
        .merge(stats::routes())
        .merge(teams::routes())
        .merge(visitors::routes())
        .merge(widget::routes())
        .merge(pages::routes())
        .fallback(answer::nothing_here)
        .method_not_allowed_fallback(answer::wrong_method)
        .with_state(api)
}
