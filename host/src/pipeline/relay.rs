//! The relay: moves one partition's events from the stream's log to the journal, in order, under a lease.
//!
//! ```text
//!              Kafka is away (relay/liveness.rs)
//!   Direct ───────────────────────────────────────▶ Spool
//!   log ─▶ Kafka                                    log ─▶ spool ─▶ Kafka
//!      ▲   enter_spool: all that has not landed is      │   one by one while it is away, then as fast as it goes
//!      │   read from the log again, before what is newer │
//!      └────────────────────────────────────────────────┘
//!        leave_spool: nothing is left in the spool, and everything of it has landed
//! ```
//!
//! Where a new owner begins is decided in `relay/plan.rs`: after the last journalled position, which is in the header of
//! the partition's last records. A stale owner's late records carry the older epoch; they are copies of what the new
//! owner sends as well, and readers know them by the conversation and its `seq` (docs/JOURNAL.md).
//!
//! The log is trimmed from here, and only below what SQL has committed *and* the journal or the spool has. So what the
//! spool of a lost node held is still in SQL: `refill` sends it from there.
//!
//! It never waits for Kafka, and it does not write to SQL.

mod liveness;
mod plan;
mod work;

use std::sync::Arc;
use std::time::Duration;

use super::Tenure;
use super::road::Road;
use crate::journal::{Journal, JournalError};
use crate::runtime::Clock;
use crate::spool::{Spool, SpoolError};
use crate::storage::{Archived, StorageError};
use crate::stream::{Log, ReadError};
use work::Work;

pub use liveness::LivenessRules;
pub use plan::Mode;

/// What a relay works with; one for all partitions.
pub struct Relay {
    /// Where events come from.
    pub log: Arc<dyn Log>,
    /// Where they go.
    pub journal: Arc<Journal>,
    /// Where they wait.
    pub spool: Arc<Spool>,
    /// Where those are that the log has no more.
    pub past: Archived,
    /// The time.
    pub clock: Clock,
    /// When to believe that Kafka is away.
    pub rules: LivenessRules,
    /// Records of one partition that may be on their way.
    pub window: usize,
}

/// Why a partition has to be begun anew.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Stream(#[from] ReadError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the lease is gone")]
    Lease,
    #[error("a thread ended early")]
    Thread,
}

impl Relay {
    /// Moves until the tenure ends; begins anew after whatever goes wrong.
    pub(super) async fn run(&self, road: &Road, tenure: &Tenure) {
        let mut told = String::new();
        while tenure.holds() {
            let ended = match Work::begin(self, road, tenure).await {
                Ok(work) => work.run().await,
                Err(ended) => ended,
            };
            if matches!(ended, Ended::Lease) {
                return;
            }
            if let Ended::Spool(SpoolError::Damaged(_)) = &ended
                && let Err(error) = self.spool.clear(road.partition)
            {
                tracing::error!(%error, partition = road.partition, "the spool cannot be cleared");
            }
            let now = ended.to_string();
            if now != told {
                tracing::warn!(error = %now, partition = road.partition, "the relay begins anew");
                told = now;
            }
            tenure.wait(Duration::from_secs(1)).await;
        }
    }
}
