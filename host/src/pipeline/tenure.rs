//! A tenure: a lease as this node may believe in it. It ends when its time is over by this node's own clock, counted
//! from *before* the question that was answered, so it ends no later than the stream thinks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::ids::Millis;
use crate::runtime::Clock;
use crate::stream::Lease;

/// See the module.
pub(super) struct Tenure {
    lease: Lease,
    until: AtomicU64,
    clock: Clock,
    ended: CancellationToken,
}

impl Tenure {
    /// Begun at `asked`; it also ends with `shutdown`.
    pub(super) fn new(
        lease: Lease,
        asked: Millis,
        ttl: Duration,
        clock: &Clock,
        shutdown: &CancellationToken,
    ) -> Self {
        let until = AtomicU64::new(asked + ttl.as_millis() as u64);
        Self { lease, until, clock: clock.clone(), ended: shutdown.child_token() }
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn epoch(&self) -> u64 {
        self.lease.epoch
    }

    pub(super) fn holds(&self) -> bool {
        !self.ended.is_cancelled() && self.clock.now() < self.until.load(Ordering::Acquire)
    }

    pub(super) fn extend(&self, asked: Millis, ttl: Duration) {
        self.until.fetch_max(asked + ttl.as_millis() as u64, Ordering::AcqRel);
    }

    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// Waits, but not beyond the end.
    pub(super) async fn wait(&self, most: Duration) {
        tokio::time::timeout(most, self.ended.cancelled()).await.ok();
    }
}
