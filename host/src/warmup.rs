//! The warm-up: everything that is made at its first use is used before people come, at the start and before each opening.
//!
//! ```text
//!   start ──▶ all steps at once, each within `patience` ──▶ noted (health::Warmth): the node may take work
//!                  ▲                                              │
//!                  └── an opening is near, or a minute later what failed ◀┘
//! ```
//!
//! A dependency that is away costs the first warm-up at most `patience`: then the node takes work without it, as it
//! would when it went away later, says so (`degraded`), and tries again every minute. It writes nothing anywhere:
//! no event, no record, no row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::domain::ids::Millis;
use crate::health::{Step, Warmed, Warmth};
use crate::pipeline::Pipeline;
use crate::plugins::Plugins;
use crate::runtime::{self, Clock};
use crate::sessions::Sessions;
use crate::storage;
use crate::stream::Stream;

/// After a warm-up that failed.
const RETRY_MS: Millis = 60_000;
/// Longest sleep without a look at the clock: it may be set, and machines are suspended.
const NAP: Duration = Duration::from_secs(30);

/// What gets warm.
pub struct Parts {
    /// The rows' connections.
    pub storage: storage::Handle,
    /// The stream's.
    pub stream: Arc<dyn Stream>,
    /// Whose journal's.
    pub pipeline: Option<Arc<Pipeline>>,
    /// Whose instances.
    pub plugins: Arc<Plugins>,
    /// Whose tables.
    pub sessions: Arc<Sessions>,
    /// The time.
    pub clock: Clock,
}

/// See the module.
pub struct WarmUp {
    parts: Parts,
    settings: config::WarmUp,
    warmth: Arc<Warmth>,
}

impl WarmUp {
    /// Nothing is warm yet. Where none is wanted at start, nobody waits for one.
    #[must_use]
    pub fn new(parts: Parts, settings: config::WarmUp, warmth: Arc<Warmth>) -> Self {
        if !settings.at_start {
            warmth.need_not_wait();
        }
        Self { parts, settings, warmth }
    }

    /// Warms up whenever it is due, until shut down.
    pub async fn run(self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(&self) {
        if self.settings.at_start {
            self.warm().await;
        }
        while let Some(due) = self.due(self.parts.clock.now()) {
            loop {
                let left = due.saturating_sub(self.parts.clock.now());
                if left == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(left).min(NAP)).await;
            }
            self.warm().await;
        }
    }

    /// When the next one is; `None`: never.
    fn due(&self, now: Millis) -> Option<Millis> {
        let openings = self.settings.openings.iter();
        let next = openings.filter_map(|opening| opening.next(now, self.settings.before_ms)).min();
        let failed = self.warmth.last().is_some_and(|last| !last.is_good());
        let again = failed.then_some(now + RETRY_MS);
        next.into_iter().chain(again).min()
    }

    /// Warms everything, and notes what it came to.
    async fn warm(&self) {
        let Parts { storage, stream, pipeline, .. } = &self.parts;
        let journal = pipeline.as_ref().and_then(|pipeline| pipeline.journal());
        let (rows, events, records, plugins) = tokio::join!(
            self.step("storage", async {
                storage.warm().await.map(drop).map_err(|e| e.to_string())
            }),
            self.step("stream", async { stream.warm().await.map_err(|e| e.to_string()) }),
            async {
                let journal = journal?;
                let warm = async { journal.warm().await.map_err(|e| e.to_string()) };
                Some(self.step("journal", warm).await)
            },
            self.step("plugins", self.instances()),
        );
        let room = self.step("room", self.room()).await;
        let steps = [Some(rows), Some(events), records, Some(plugins), Some(room)];
        let warmed =
            Warmed { at: self.parts.clock.now(), steps: steps.into_iter().flatten().collect() };
        let failed = warmed.steps.iter().filter_map(|step| Some((step, step.failure.as_ref()?)));
        for (Step { step, .. }, why) in failed {
            tracing::warn!(step, why, "not warm: tried again in a minute");
        }
        self.warmth.note(warmed);
    }

    async fn step(&self, step: &str, work: impl Future<Output = Result<(), String>>) -> Step {
        let begun = Instant::now();
        let patience = Duration::from_millis(self.settings.patience_ms);
        let late = |_| Err(format!("it took longer than {patience:?} (warmup.patience)"));
        let failure = timeout(patience, work).await.unwrap_or_else(late).err();
        Step { step: step.into(), ms: begun.elapsed().as_millis() as u64, failure }
    }

    /// As many as may be asked at the same time.
    async fn instances(&self) -> Result<(), String> {
        let plugins = self.parts.plugins.clone();
        let many = tokio::runtime::Handle::current().metrics().num_workers();
        let made = tokio::task::spawn_blocking(move || plugins.warm(many));
        made.await.map_err(|_| "the thread that made instances ended early".to_owned())?
    }

    async fn room(&self) -> Result<(), String> {
        let sessions = self.settings.sessions;
        self.parts.sessions.reserve(sessions);
        let files = i32::try_from(sessions + runtime::OWN_FILES as usize).unwrap_or(i32::MAX);
        runtime::make_room_for_files(files).map_err(|e| format!("no file can be opened: {e}"))
    }
}

#[cfg(test)]
mod tests;
