//! Routing: who answers a waiting conversation.
//!
//! ```text
//!  stream tail (queued, assigned, transferred, closed) ─┐
//!  presence (arrived; lost → requeue) ──────────────────┼─▶ wake ─▶ pass
//!  status, capacity, team changed ──────────────────────┤
//!  a refusal ceases to count ───────────────────────────┘
//!  pass: refresh queue ─▶ decide each ─▶ tell places
//! ```
//! A pass walks the queue in order and decides for each conversation that somebody qualifies for;
//! one that nobody qualifies for blocks nobody behind it. It never polls: without a change there is
//! no pass. The timers are the retry after an outage, the next relaxation and, where there are other
//! nodes, the look for what one of them stored and did not live to tell. It scores nothing itself:
//! that is the policy, or the built-in fall-back in `domain::routing`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::conversations::Conversations;
use crate::domain::event::{EventBody, QueueCause};
use crate::domain::ids::{AgentId, ConversationId, Millis};
use crate::domain::refusal::Refusal;
use crate::domain::routing::Moment;
use crate::plugins::Plugins;
use crate::presence::{Presence, PresenceChange};
use crate::runtime::Clock;
use crate::sessions::Sessions;
use crate::storage::{self, StorageError};
use crate::stream::{Stream, Tail, Told};

mod decide;
mod input;
mod queue;

/// After an outage, when to try again.
const RETRY: Duration = Duration::from_secs(1);
/// Most changed conversations remembered between two passes; beyond it the whole queue is read
/// again.
const MOST_SEEN: usize = 4096;

/// What the service is made of.
#[expect(missing_docs, reason = "each is documented where it is defined")]
pub struct Parts {
    pub storage: storage::Handle,
    pub stream: Arc<dyn Stream>,
    pub plugins: Arc<Plugins>,
    pub sessions: Arc<Sessions>,
    pub presence: Arc<Presence>,
    pub conversations: Arc<Conversations>,
    pub clock: Clock,
    /// So long an agent is not offered again what it handed back, ms.
    pub declined_ms: Millis,
}

/// The service.
pub struct Routing {
    storage: storage::Handle,
    stream: Arc<dyn Stream>,
    plugins: Arc<Plugins>,
    sessions: Arc<Sessions>,
    presence: Arc<Presence>,
    conversations: Arc<Conversations>,
    clock: Clock,
    declined_ms: Millis,
    seen: Mutex<Seen>,
    queue: Mutex<queue::Queue>,
}

/// What the tail brought since the last pass.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeSet<ConversationId>,
    /// Look at everything.
    all: bool,
}

impl Routing {
    /// The service, with an empty queue until [`Self::run`] reads it.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            storage: parts.storage,
            stream: parts.stream,
            plugins: parts.plugins,
            sessions: parts.sessions,
            presence: parts.presence,
            conversations: parts.conversations,
            clock: parts.clock,
            declined_ms: parts.declined_ms,
            seen: Mutex::default(),
            queue: Mutex::default(),
        })
    }

    /// Looks at the queue again: something about agents changed.
    pub fn wake(&self) {
        self.conversations.wake_routing();
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// Works until shut down. At start the whole queue is looked at.
    pub async fn run(&self, shutdown: CancellationToken) {
        let tail = self.stream.tail();
        let changes = self.presence.changes();
        self.look_at_all();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.listen(tail) => tracing::error!("the stream's tail ended: routing stops"),
            () = self.watch(changes) => {}
            () = self.work() => {}
        }
    }

    fn look_at_all(&self) {
        self.seen.lock().all = true;
        self.wake();
    }

    /// Moves what happened from the tail into `seen`; never waits for anything else.
    async fn listen(&self, mut tail: Tail) {
        while let Some(told) = tail.recv().await {
            let Told::Events(batch) = told else {
                self.look_at_all();
                continue;
            };
            let ids = batch.iter().filter(|event| moves_the_queue(&event.body));
            let ids: Vec<_> = ids.map(|event| event.conversation).collect();
            if ids.is_empty() {
                continue;
            }
            let mut seen = self.seen.lock();
            seen.ids.extend(ids);
            if seen.ids.len() > MOST_SEEN {
                *seen = Seen { ids: BTreeSet::new(), all: true };
            }
            drop(seen);
            self.wake();
        }
    }

    /// Follows presence: who arrives may take something, whom we lost gives back what it had.
    async fn watch(&self, mut changes: Receiver<PresenceChange>) {
        // After a start agents have the grace period to come back before we look who is missing.
        let mut sweep = Some(Instant::now() + self.presence.grace());
        loop {
            let due = sweep.unwrap_or_else(Instant::now);
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(PresenceChange::Arrived(_)) => self.wake(),
                    Ok(PresenceChange::Lost(agent)) => {
                        if let Err(refusal) = self.give_back(agent).await {
                            tracing::warn!(%agent, %refusal, "a lost agent keeps conversations");
                            sweep = Some(Instant::now() + RETRY);
                        }
                    }
                    Err(RecvError::Lagged(_)) => sweep = Some(Instant::now()),
                    Err(RecvError::Closed) => return,
                },
                () = sleep_until(due), if sweep.is_some() => {
                    let swept = self.sweep().await;
                    sweep = swept.is_err().then(|| Instant::now() + RETRY);
                }
            }
        }
    }

    /// Queues the conversations of an agent again, unless it is back.
    async fn give_back(&self, agent: AgentId) -> Result<(), Refusal> {
        if self.presence.is_present(agent) {
            return Ok(());
        }
        self.conversations.requeue_all(agent, QueueCause::AgentLost).await?;
        self.wake();
        Ok(())
    }

    /// Gives back what absent agents have: after a start, and when presence changes were missed.
    async fn sweep(&self) -> Result<(), Refusal> {
        for (agent, _) in self.storage.loads().await.map_err(away)? {
            self.give_back(agent).await?;
        }
        self.wake();
        Ok(())
    }

    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), declined_ms: self.declined_ms }
    }

    /// Returns when a hard rule that held at `since` relaxes for somebody who waits now.
    async fn relaxation(&self, since: Moment) {
        let due = self.queue.lock().relaxes(since);
        match due {
            Some(due) => sleep(Duration::from_millis(due.saturating_sub(self.clock.now()))).await,
            None => std::future::pending().await,
        }
    }

    /// When to look for what another node left untold; never where there is no other.
    fn look(&self) -> Option<Instant> {
        self.conversations.left_by_others().map(|age| Instant::now() + age)
    }

    async fn work(&self) {
        // From before the pass: what relaxes while it runs may have been looked at too early.
        let mut begun = self.moment();
        let mut look = self.look();
        loop {
            let woken = tokio::select! {
                () = self.conversations.routing_woken() => true,
                () = self.relaxation(begun) => true,
                () = sleep_until(look.unwrap_or_else(Instant::now)), if look.is_some() => false,
            };
            if woken {
                begun = self.moment();
            } else {
                look = self.look();
            }
            let done = async {
                if self.conversations.is_unsettled() || !woken {
                    self.conversations.recover().await?;
                }
                if woken { self.pass().await } else { Ok(()) }
            };
            let done = done.await;
            if let Err(refusal) = &done {
                tracing::warn!(%refusal, "routing waits for an outage to end");
            }
            if done.is_err() || self.conversations.is_unsettled() {
                sleep(RETRY).await;
                self.look_at_all();
            }
        }
    }
}

/// Events after which the queue or the agents' loads are others.
fn moves_the_queue(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::Queued { .. }
            | EventBody::Assigned { .. }
            | EventBody::Transferred { .. }
            | EventBody::Closed { .. }
    )
}

/// An outage of storage, to the retry.
fn away(error: StorageError) -> Refusal {
    tracing::warn!(%error, "storage did not answer routing");
    Refusal::Unavailable { reason: "storage", retry_after_ms: 1000 }
}

#[cfg(test)]
mod tests;
