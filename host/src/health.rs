//! `/health/live` (the process answers), `/health/ready` (it can take work), `/metrics` (loopback or admin).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::api::{self, Admin, Failure};
use crate::domain::plugin::Point;
use crate::plugins::PointStats;
use crate::telemetry::{Live, Meters};

/// What the endpoints look at.
pub struct Health {
    /// For live figures, and to know an admin.
    pub api: api::Shared,
    /// Counted figures.
    pub meters: Arc<Meters>,
    /// Cleared when the server begins to drain.
    pub ready: AtomicBool,
}

/// The endpoints.
pub fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "ok\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    if !health.ready.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    match health.api.storage.teams().await {
        Ok(_) => "ready\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "storage does not answer\n").into_response(),
    }
}

async fn metrics(State(health): State<Arc<Health>>, request: Request) -> Result<Response, Failure> {
    let (mut parts, _) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    // A proxy on this machine speaks for strangers, and says so.
    let forwarded =
        parts.headers.contains_key("x-forwarded-for") || parts.headers.contains_key("forwarded");
    if forwarded || !peer.is_some_and(|ip| ip.is_loopback()) {
        Admin::from_request_parts(&mut parts, &health.api).await?;
    }
    let figures = health.api.sessions.figures();
    let gauge = |name, help, value: usize| Live { name, help, kind: "gauge", value: value as u64 };
    let counter = |name, help, value| Live { name, help, kind: "counter", value };
    let mut live = vec![
        gauge("kefu_sessions", "sessions on any carrier", figures.sessions),
        gauge("kefu_connections", "open WebSockets", figures.sockets),
        counter("kefu_slow_readers_total", "readers cut for being slow", figures.slow_readers),
        counter("kefu_idle_sessions_total", "sessions ended for silence", figures.idle),
        counter("kefu_heals_total", "gaps healed by reading the stream", figures.heals),
    ];
    live.extend(health.api.plugins.stats().iter().flat_map(of_point));
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4");
    Ok(([kind], health.meters.text(&live)).into_response())
}

fn of_point(stats: &PointStats) -> [Live; 2] {
    let (calls, faults) = match stats.point {
        Point::Routing => ("kefu_routing_calls_total", "kefu_routing_faults_total"),
        Point::Filter => ("kefu_filter_calls_total", "kefu_filter_faults_total"),
        Point::Inspection => ("kefu_inspection_calls_total", "kefu_inspection_faults_total"),
    };
    let counter = |name, help, value| Live { name, help, kind: "counter", value };
    [
        counter(calls, "calls that reached a plugin", stats.calls),
        counter(faults, "of these, ended by a fault", stats.faults),
    ]
}
