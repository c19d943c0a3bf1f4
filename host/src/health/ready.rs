//! Whether this node can take work. Degraded is not dead: what people rely on goes on without Kafka, and in part without
//! PostgreSQL or Redis, which every other node would miss just as well. So 503 is said of this process only:
//! before its first warm-up is done (or given up, see `[warmup] patience`) and once it drains.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::warmth::Warmed;
use super::{Health, may_see};
use crate::domain::outage::Outage;
use crate::pipeline::relay::Mode;
use crate::pipeline::{Figures, Pipeline};

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ReadinessGrade")]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Everything is there.
    Ready,
    /// It takes work, and `outages` or a failed step of `warm_up` says what does not go as it should.
    Degraded,
    /// It must not get work: `error` says why.
    Unready,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Readiness {
    /// In a word.
    pub status: Grade,
    /// Why it must not get work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Reason>,
    /// What is out.
    pub outages: Vec<Outage>,
    /// The last warm-up; for this machine and admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Warmed>,
    /// How far events are on their way, where the stream does not keep them; for this machine and admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub road: Option<RoadFigures>,
}

/// As every refusal of the API.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnreadyReason")]
pub struct Reason {
    /// `unavailable`.
    pub code: &'static str,
    /// In words.
    pub message: &'static str,
}

/// The road of this node's partitions, in numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RoadFigures {
    /// Partitions whose events go straight to Kafka.
    pub direct: usize,
    /// Partitions whose events go over the spool.
    pub spool: usize,
    /// Partitions without a journal.
    pub none: usize,
    /// Changes between direct and spool.
    pub turns: u64,
    /// Records on their way to Kafka.
    pub in_flight: usize,
    /// Bytes in the spool.
    pub spool_bytes: u64,
    /// The spool refuses.
    pub spool_full: bool,
    /// Events read and not yet written to SQL.
    pub archive_waiting: usize,
    /// Age of the oldest event that SQL has not got; absent when the stream does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_lag_ms: Option<u64>,
}

impl RoadFigures {
    /// As it is now.
    pub(super) async fn of(pipeline: &Pipeline) -> Self {
        let all = pipeline.figures();
        let with = |mode| all.iter().filter(|road| road.mode == mode).count();
        let sum = |of: fn(&Figures) -> u64| all.iter().map(of).sum();
        Self {
            direct: with(Some(Mode::Direct)),
            spool: with(Some(Mode::Spool)),
            none: with(None),
            turns: sum(|road| road.turns),
            in_flight: all.iter().map(|road| road.on_the_way).sum(),
            spool_bytes: sum(|road| road.spooled),
            spool_full: all.iter().any(|road| road.spool_full),
            archive_waiting: pipeline.waiting(),
            archive_lag_ms: pipeline.lag().await.map(|lag| lag.as_millis() as u64),
        }
    }
}

pub(super) async fn ready(State(health): State<Arc<Health>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let outages = health.watch.outages().to_vec();
    let warmed = health.warmth.last();
    let error = if health.draining.load(Ordering::Acquire) {
        Some("it is stopping")
    } else if !health.warmth.may_work() {
        Some("it is getting warm")
    } else {
        None
    };
    let cold = warmed.as_ref().is_some_and(|warmed| !warmed.is_good());
    let status = match (error, outages.is_empty() && !cold) {
        (Some(_), _) => Grade::Unready,
        (None, false) => Grade::Degraded,
        (None, true) => Grade::Ready,
    };
    let error = error.map(|message| Reason { code: "unavailable", message });
    let mut answer = Readiness { status, error, outages, warm_up: None, road: None };
    if may_see(&mut parts, &health).await.is_ok() {
        answer.warm_up = warmed;
        if let Some(pipeline) = &health.pipeline {
            answer.road = Some(RoadFigures::of(pipeline).await);
        }
    }
    let code = match status {
        Grade::Unready => StatusCode::SERVICE_UNAVAILABLE,
        Grade::Ready | Grade::Degraded => StatusCode::OK,
    };
    (code, Json(answer)).into_response()
}
