//! `/health/live` (the process answers), `/health/ready` (it can take work), `/metrics` (loopback or admin).

mod figures;
mod ready;
mod warmth;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::api::contract::{Entry, Routes, Who, op};
use crate::api::{self, Admin, Failure};
use crate::pipeline::Pipeline;
use crate::telemetry::Meters;

pub use ready::{Grade, Readiness, Reason, RoadFigures};
pub use warmth::{Step, Warmed, Warmth};
pub use watch::{Looks, Watch};

/// What the endpoints look at.
pub struct Health {
    /// For live figures, and to know an admin.
    pub api: api::Shared,
    /// Counted figures.
    pub meters: Arc<Meters>,
    /// What moves events on, where the stream does not keep them.
    pub pipeline: Option<Arc<Pipeline>>,
    /// What is out.
    pub watch: Arc<Watch>,
    /// What the last warm-up came to.
    pub warmth: Arc<Warmth>,
    /// Set when the server begins to drain.
    pub draining: AtomicBool,
}

fn declared() -> Routes<Arc<Health>> {
    let live = op("getLive", "The process answers.", Who::Anyone).gives_bytes(200, "text/plain");
    let is_ready = op(
        "getReady",
        "It can take work, perhaps degraded; 503: it must not get any.",
        Who::Anyone,
    )
    .gives::<Readiness>(200)
    .gives::<Readiness>(503);
    let figures = op("getMetrics", "Figures for Prometheus; free from this machine.", Who::Admin)
        .gives_bytes(200, "text/plain");
    Routes::new()
        .get("/health/live", || async { "ok\n" }, live)
        .get("/health/ready", ready::ready, is_ready)
        .get("/metrics", metrics, figures)
}

/// The endpoints, and what is promised about them.
pub fn routes(health: Arc<Health>) -> (Router, Vec<Entry>) {
    let (router, entries) = declared().apart();
    (router.with_state(health), entries)
}

/// What is promised about the endpoints.
#[must_use]
pub fn entries() -> Vec<Entry> {
    declared().apart().1
}

async fn metrics(State(health): State<Arc<Health>>, request: Request) -> Result<Response, Failure> {
    let (mut parts, _) = request.into_parts();
    may_see(&mut parts, &health).await?;
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4");
    Ok(([kind], health.meters.text(figures::all(&health).await)).into_response())
}

/// Figures are for this machine and for admins.
async fn may_see(parts: &mut Parts, health: &Health) -> Result<(), Failure> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    // A proxy on this machine speaks for strangers, and says so.
    let forwarded =
        parts.headers.contains_key("x-forwarded-for") || parts.headers.contains_key("forwarded");
    if forwarded || !peer.is_some_and(|ip| ip.is_loopback()) {
        Admin::from_request_parts(parts, &health.api).await?;
    }
    Ok(())
}
