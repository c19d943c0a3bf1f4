//! The figures that are read when someone asks: `/metrics`. What cannot be read now is left out, so that an outage does
//! not take the rest away with it.

use std::collections::BTreeMap;

use super::{Health, RoadFigures};
use crate::api::Api;
use crate::domain::agent::Status;
use crate::domain::outage::Part;
use crate::domain::plugin::Point;
use crate::pipeline::Pipeline;
use crate::plugins::{PointStats, Served, Times};
use crate::storage::Stored;
use crate::telemetry::Live;

/// All of them.
pub(super) async fn all(health: &Health) -> Vec<Live> {
    let mut live = live(&health.api);
    match people(&health.api).await {
        Ok(people) => live.extend(people),
        Err(error) => tracing::debug!(%error, "figures of people are left out"),
    }
    live.extend(itself(health));
    if let Some(pipeline) = &health.pipeline {
        live.extend(road(pipeline).await);
    }
    live
}

/// What the node knows of itself and of what it stands on.
fn itself(health: &Health) -> Vec<Live> {
    let outages = health.watch.outages();
    let out = |part: Part| f64::from(u8::from(outages.iter().any(|one| one.part == part)));
    let mut live: Vec<_> =
        Part::ALL.map(|part| Live::new("kefu_outage", out(part)).with("part", part.word())).into();
    let Some(warmed) = health.warmth.last() else { return live };
    let age = health.api.clock.now().saturating_sub(warmed.at);
    live.push(Live::new("kefu_warmup_age_seconds", age as f64 / 1000.0));
    for step in warmed.steps {
        let good = f64::from(u8::from(step.failure.is_none()));
        live.push(Live::new("kefu_warmup_good", good).with("step", step.step.clone()));
        let took = Live::new("kefu_warmup_seconds", step.ms as f64 / 1000.0);
        live.push(took.with("step", step.step));
    }
    live
}

fn live(api: &Api) -> Vec<Live> {
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
    for PointStats { point, absent, served } in api.plugins.stats() {
        let calls = Live::new("kefu_plugin_calls_total", absent as f64);
        live.push(calls.with("point", point.word()).with("outcome", "absent"));
        live.extend(served.iter().flat_map(|one| plugin(point, one)));
    }
    live
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
    let road = RoadFigures::of(pipeline).await;
    let modes = [("direct", road.direct), ("spool", road.spool), ("none", road.none)];
    let mut live: Vec<_> = modes
        .map(|(word, many)| Live::new("kefu_partitions", many as f64).with("mode", word))
        .into();
    live.extend([
        Live::new("kefu_partition_turns_total", road.turns as f64),
        Live::new("kefu_journal_in_flight", road.in_flight as f64),
        Live::new("kefu_spool_bytes", road.spool_bytes as f64),
        Live::new("kefu_spool_full", f64::from(u8::from(road.spool_full))),
        Live::new("kefu_archive_waiting", road.archive_waiting as f64),
    ]);
    let lag = road.archive_lag_ms.map(|ms| ms as f64 / 1000.0);
    live.extend(lag.map(|seconds| Live::new("kefu_archive_lag_seconds", seconds)));
    live
}

/// The queues, and who is there to empty them.
async fn people(api: &Api) -> Stored<Vec<Live>> {
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
