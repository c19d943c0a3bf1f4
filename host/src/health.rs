//! `/health/live` (the process answers), `/health/ready` (it can take work), `/metrics` (loopback or admin).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::contract::{Entry, Routes, Who, op};
use crate::api::{self, Admin, Api, Failure};
use crate::domain::agent::Status;
use crate::domain::plugin::Point;
use crate::pipeline::relay::Mode;
use crate::pipeline::{Figures, Pipeline};
use crate::plugins::{PointStats, Served, Times};
use crate::telemetry::{Live, Meters};

/// What the endpoints look at.
pub struct Health {
    /// For live figures, and to know an admin.
    pub api: api::Shared,
    /// Counted figures.
    pub meters: Arc<Meters>,
    /// What moves events on, where the stream does not keep them.
    pub pipeline: Option<Arc<Pipeline>>,
    /// Cleared when the server begins to drain.
    pub ready: AtomicBool,
}

fn declared() -> Routes<Arc<Health>> {
    let live = op("getLive", "The process answers.", Who::Anyone).gives_bytes(200, "text/plain");
    let is_ready = op("getReady", "It can take work; 503, in words, when not.", Who::Anyone)
        .gives_bytes(200, "text/plain")
        .gives_bytes(503, "text/plain");
    let figures = op("getMetrics", "Figures for Prometheus; free from this machine.", Who::Admin)
        .gives_bytes(200, "text/plain");
    Routes::new()
        .get("/health/live", || async { "ok\n" }, live)
        .get("/health/ready", ready, is_ready)
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
    let mut live = live(&health.api).await?;
    if let Some(pipeline) = &health.pipeline {
        live.extend(road(pipeline).await);
    }
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4");
    Ok(([kind], health.meters.text(live)).into_response())
}

async fn live(api: &Api) -> Result<Vec<Live>, Failure> {
    let figures = api.sessions.figures();
    let polls = figures.sessions.saturating_sub(figures.sockets);
    let mut live = vec![
        Live::new("kefu_build_info", 1.0).with("version", env!("CARGO_PKG_VERSION")),
        Live::new("kefu_sessions", figures.sockets as f64).with("carrier", "websocket"),
        Live::new("kefu_sessions", polls as f64).with("carrier", "longpoll"),
        Live::new("kefu_slow_readers_total", figures.slow_readers as f64),
        Live::new("kefu_idle_sessions_total", figures.idle as f64),
        Live::new("kefu_heals_total", figures.heals as f64),
        Live::new("kefu_heal_failures_total", figures.unhealed as f64),
    ];
    live.extend(people(api).await?);
    for PointStats { point, absent, served } in api.plugins.stats() {
        let calls = Live::new("kefu_plugin_calls_total", absent as f64);
        live.push(calls.with("point", point.word()).with("outcome", "absent"));
        live.extend(served.iter().flat_map(|one| plugin(point, one)));
    }
    Ok(live)
}

/// What one generation did.
fn plugin(point: Point, one: &Served) -> Vec<Live> {
    let named = |live: Live| {
        let live = live.with("point", point.word()).with("plugin", one.name.clone());
        live.with("generation", one.number.to_string())
    };
    let outcomes = [
        ("answered", one.answered),
        ("no_opinion", one.no_opinion),
        ("error", one.errors),
        ("fault", one.faults),
    ];
    let calls = outcomes.map(|(outcome, calls)| {
        named(Live::new("kefu_plugin_calls_total", calls as f64)).with("outcome", outcome)
    });
    let fuel = named(Live::new("kefu_plugin_fuel_total", one.fuel as f64));
    let Times { buckets, sum, count } = &one.times;
    let times = Live::histogram("kefu_plugin_call_duration_seconds", buckets, *sum, *count);
    calls.into_iter().chain([fuel]).chain(times.into_iter().map(named)).collect()
}

/// How far events are on their way to SQL.
async fn road(pipeline: &Pipeline) -> Vec<Live> {
    let all = pipeline.figures();
    let sum = |of: fn(&Figures) -> u64| all.iter().map(of).sum::<u64>() as f64;
    let modes = [("direct", Some(Mode::Direct)), ("spool", Some(Mode::Spool)), ("none", None)];
    let mut live: Vec<_> = modes
        .map(|(word, mode)| {
            let many = all.iter().filter(|figures| figures.mode == mode).count();
            Live::new("kefu_partitions", many as f64).with("mode", word)
        })
        .into();
    let full = all.iter().any(|figures| figures.spool_full);
    live.extend([
        Live::new("kefu_partition_turns_total", sum(|figures| figures.turns)),
        Live::new("kefu_journal_in_flight", sum(|figures| figures.on_the_way as u64)),
        Live::new("kefu_spool_bytes", sum(|figures| figures.spooled)),
        Live::new("kefu_spool_full", f64::from(u8::from(full))),
        Live::new("kefu_archive_waiting", pipeline.waiting() as f64),
    ]);
    let lag = pipeline.lag().await;
    live.extend(lag.map(|lag| Live::new("kefu_archive_lag_seconds", lag.as_secs_f64())));
    live
}

/// The queues, and who is there to empty them.
async fn people(api: &Api) -> Result<Vec<Live>, Failure> {
    let teams = api.storage.teams().await?;
    let mut waiting: BTreeMap<_, u32> = teams.iter().map(|team| (team.id, 0)).collect();
    for row in api.storage.queue(None).await? {
        *waiting.entry(row.team).or_default() += 1;
    }
    let active: u32 = api.storage.loads().await?.iter().map(|(_, many)| u32::from(*many)).sum();
    let statuses = [Status::Online, Status::Away, Status::Busy, Status::Offline];
    let mut there = statuses.map(|status| (status, 0_u32));
    for agent in api.storage.agents().await?.iter().filter(|one| api.presence.is_present(one.id)) {
        let counts = there.iter_mut().filter(|(status, _)| *status == agent.status);
        counts.for_each(|(_, many)| *many += 1);
    }
    let mut live = vec![Live::new("kefu_active_conversations", f64::from(active))];
    live.extend(waiting.into_iter().map(|(team, many)| {
        Live::new("kefu_waiting_conversations", f64::from(many)).with("team", team.to_string())
    }));
    live.extend(there.map(|(status, many)| {
        Live::new("kefu_present_agents", f64::from(many)).with("status", status.word())
    }));
    Ok(live)
}
