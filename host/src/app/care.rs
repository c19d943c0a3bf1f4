//! What takes care of the node itself: the warm-up, and the watch over what it stands on.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::parts::Parts;
use crate::config::Config;
use crate::health::{Looks, Warmth, Watch};
use crate::warmup::{self, WarmUp};

/// Both, and what they know.
pub(super) struct Care {
    pub(super) watch: Arc<Watch>,
    pub(super) warmth: Arc<Warmth>,
    /// Taken when it starts.
    warm_up: Option<WarmUp>,
}

impl Care {
    pub(super) fn new(parts: &Parts, config: &Config) -> Self {
        let watch = Watch::new(Looks {
            storage: parts.storage.clone(),
            pipeline: parts.pipeline.clone(),
            sessions: parts.sessions.clone(),
            clock: parts.clock.clone(),
        });
        let warmed = warmup::Parts {
            storage: parts.storage.clone(),
            stream: parts.stream.clone(),
            pipeline: parts.pipeline.clone(),
            plugins: parts.plugins.clone(),
            sessions: parts.sessions.clone(),
            clock: parts.clock.clone(),
        };
        let warmth = Arc::<Warmth>::default();
        let warm_up = Some(WarmUp::new(warmed, config.warmup.clone(), warmth.clone()));
        Self { watch, warmth, warm_up }
    }

    pub(super) fn start(&mut self, services: &CancellationToken, tasks: &TaskTracker) {
        let (watch, shutdown) = (self.watch.clone(), services.clone());
        tasks.spawn(async move { watch.run(shutdown).await });
        if let Some(warm_up) = self.warm_up.take() {
            tasks.spawn(warm_up.run(services.clone()));
        }
    }
}
