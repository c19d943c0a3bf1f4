//! Closed conversations go on: to inspection, and into the memory of who answered the visitor last. Embedded they are
//! seen on the stream's tail, because its append was the archiving; in a cluster the archive tells of them once their
//! events are in SQL, so that one node does it. It writes no events.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::event::{Event, EventBody};
use crate::domain::ids::ConversationId;
use crate::inspection::Inspection;
use crate::storage::{self, Stored};
use crate::stream::{Stream, Tail, Told};

/// Most closed conversations whose visitor is still to be updated; beyond it the oldest are skipped
/// (only the preference for the same agent is lost).
const MOST_QUEUED: usize = 1024;

/// See the module.
pub struct Closed {
    storage: storage::Handle,
    stream: Arc<dyn Stream>,
    inspection: Arc<Inspection>,
    closed: Mutex<VecDeque<ConversationId>>,
    wake: Notify,
}

impl Closed {
    /// Nothing is closed yet.
    #[must_use]
    pub fn new(
        storage: storage::Handle,
        stream: Arc<dyn Stream>,
        inspection: Arc<Inspection>,
    ) -> Arc<Self> {
        let (closed, wake) = (Mutex::default(), Notify::new());
        Arc::new(Self { storage, stream, inspection, closed, wake })
    }

    /// Follows the stream's tail until shut down.
    pub async fn follow(&self, shutdown: CancellationToken) {
        let tail = self.stream.tail();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.listen(tail) => {}
            () = self.remember() => {}
        }
    }

    /// Does what it is told of until shut down.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.remember() => {}
        }
    }

    /// These events are archived.
    pub(super) fn tell<'a>(&self, events: impl Iterator<Item = &'a Event>) {
        for event in events.filter(|event| matches!(event.body, EventBody::Closed { .. })) {
            self.inspection.enqueue(event.conversation);
            let mut closed = self.closed.lock();
            if closed.len() == MOST_QUEUED {
                closed.pop_front();
            }
            closed.push_back(event.conversation);
            self.wake.notify_one();
        }
    }

    /// Moves closed conversations off the tail; waits for nothing else.
    async fn listen(&self, mut tail: Tail) {
        while let Some(told) = tail.recv().await {
            // The embedded stream, the only one this follows, misses nothing.
            let Told::Events(batch) = told else { continue };
            self.tell(batch.iter().map(AsRef::as_ref));
        }
    }

    async fn remember(&self) {
        loop {
            let next = self.closed.lock().pop_front();
            let Some(id) = next else {
                self.wake.notified().await;
                continue;
            };
            if let Err(error) = self.remember_agent(id).await {
                tracing::warn!(%error, conversation = %id, "last agent not remembered");
            }
        }
    }

    /// Returning visitors may prefer the one who answered last.
    async fn remember_agent(&self, id: ConversationId) -> Stored<()> {
        let Some(row) = self.storage.conversation(id).await? else { return Ok(()) };
        let Some(mut visitor) = self.storage.visitor(row.visitor).await? else { return Ok(()) };
        if row.agent.is_none() || visitor.last_agent == row.agent {
            return Ok(());
        }
        visitor.last_agent = row.agent;
        self.storage.update_visitor(&visitor).await
    }
}
