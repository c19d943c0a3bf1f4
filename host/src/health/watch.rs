//! The watch: looks again and again at what this node stands on, and tells those who supervise, at this node, what is out
//! and when it is back. Every node looks by itself: one may be cut off from what the others reach.
//!
//! It decides nothing: what is out is worked around elsewhere, by itself, and this only says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::domain::ids::Millis;
use crate::domain::outage::{Doubt, Outage, Part};
use crate::domain::people::Role;
use crate::pipeline::Pipeline;
use crate::pipeline::relay::Mode;
use crate::runtime::Clock;
use crate::sessions::{Push, Sessions};
use crate::storage;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// An outage is told again so often: to who has signed in since, and in place of what was lost.
const AGAIN_MS: Millis = 5000;
/// So far SQL may be behind the stream.
const BEHIND_MS: Millis = 60_000;

/// What it looks at.
pub struct Looks {
    /// The rows.
    pub storage: storage::Handle,
    /// What moves events on, where the stream does not keep them.
    pub pipeline: Option<Arc<Pipeline>>,
    /// Who is told.
    pub sessions: Arc<Sessions>,
    /// The time.
    pub clock: Clock,
}

/// See the module.
pub struct Watch {
    looks: Looks,
    known: Mutex<Known>,
    /// Which partition of the stream is asked next.
    turn: AtomicU16,
}

/// What the looks have come to.
#[derive(Default)]
struct Known {
    doubts: [Doubt; Part::ALL.len()],
    outages: Arc<Vec<Outage>>,
    /// When it was last told.
    told: Millis,
}

/// What one look found.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    good: [bool; Part::ALL.len()],
    spooled: u64,
    behind_ms: Option<Millis>,
}

impl Watch {
    /// Nothing is known to be out.
    #[must_use]
    pub fn new(looks: Looks) -> Arc<Self> {
        Arc::new(Self { looks, known: Mutex::default(), turn: AtomicU16::new(0) })
    }

    /// What is out now, the gravest first.
    #[must_use]
    pub fn outages(&self) -> Arc<Vec<Outage>> {
        self.known.lock().outages.clone()
    }

    /// Looks until shut down.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut again = interval(EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = again.tick() => {}
            }
            let seen = tokio::select! {
                () = shutdown.cancelled() => return,
                seen = self.look() => seen,
            };
            self.take_in(seen, self.looks.clock.now());
        }
    }

    async fn look(&self) -> Seen {
        let storage = timeout(PATIENCE, self.looks.storage.teams());
        let Some(pipeline) = &self.looks.pipeline else {
            let good = Part::ALL.map(|_| true);
            let mut seen = Seen { good, ..Seen::default() };
            seen.good[Part::Storage as usize] = matches!(storage.await, Ok(Ok(_)));
            return seen;
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let stream = timeout(PATIENCE, pipeline.stream_answers(turn));
        let journal = async {
            match pipeline.journal() {
                Some(journal) => journal.answers(PATIENCE).await,
                None => true,
            }
        };
        let lag = timeout(PATIENCE, pipeline.lag());
        let (storage, stream, journal, lag) = tokio::join!(storage, stream, journal, lag);
        let roads = pipeline.figures();
        let storage = matches!(storage, Ok(Ok(_)));
        let behind_ms = lag.ok().flatten().map(|lag| lag.as_millis() as Millis);
        Seen {
            // In the order of `Part::ALL`.
            good: [
                matches!(stream, Ok(true)),
                storage,
                // A new owner begins in mode spool, until it has asked Kafka.
                journal
                    && roads.iter().all(|one| one.mode != Some(Mode::Spool) || one.spooled == 0),
                roads.iter().all(|road| !road.spool_full),
                // While it is away, that it is behind is no news.
                !storage || behind_ms.is_none_or(|behind| behind < BEHIND_MS),
            ],
            spooled: roads.iter().map(|road| road.spooled).sum(),
            behind_ms,
        }
    }

    fn take_in(&self, seen: Seen, now: Millis) {
        let mut known = self.known.lock();
        for (doubt, good) in known.doubts.iter_mut().zip(seen.good) {
            *doubt = doubt.look(good, now);
        }
        let out = Part::ALL.into_iter().zip(known.doubts);
        let out = out.filter_map(|(part, doubt)| Some((part, doubt.out()?)));
        let outages: Vec<_> = out.map(|(part, since)| seen.outage(part, since)).collect();
        let parts = |all: &[Outage]| all.iter().map(|one| one.part).collect::<Vec<_>>();
        let (before, after) = (parts(&known.outages), parts(&outages));
        let news = before != after;
        let again = !outages.is_empty() && now.saturating_sub(known.told) >= AGAIN_MS;
        known.outages = Arc::new(outages);
        if !news && !again {
            return;
        }
        known.told = now;
        let outages = known.outages.clone();
        drop(known);
        if news {
            let words = after.iter().map(|part| part.word()).collect::<Vec<_>>().join(", ");
            match after.is_empty() {
                true => tracing::info!("everything this node stands on is there"),
                false => tracing::warn!(out = words, "parts are out: docs/OPERATING.md, Outages"),
            }
        }
        self.looks.sessions.push_to_role_here(Role::Supervisor, &Push::Outages(outages));
    }
}

impl Seen {
    fn outage(&self, part: Part, since: Millis) -> Outage {
        let bytes = matches!(part, Part::Journal | Part::Spool).then_some(self.spooled);
        let behind = matches!(part, Part::Storage | Part::Archive);
        Outage { part, since, bytes, behind_ms: self.behind_ms.filter(|_| behind) }
    }
}
