//! The archive's reader, embedded: the stream's append was the archiving, so this only moves closed
//! conversations on to inspection and remembers who answered the visitor. It writes no events.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::event::EventBody;
use crate::domain::ids::ConversationId;
use crate::inspection::Inspection;
use crate::storage::{self, Stored};
use crate::stream::{Stream, Tail, Told};

/// Most closed conversations whose visitor is still to be updated; beyond it the oldest are skipped
/// (only the preference for the same agent is lost).
const MOST_QUEUED: usize = 1024;

/// The reader.
pub struct Archive {
    storage: storage::Handle,
    stream: Arc<dyn Stream>,
    inspection: Arc<Inspection>,
    closed: Mutex<VecDeque<ConversationId>>,
    wake: Notify,
}

impl Archive {
    /// A reader that has read nothing.
    #[must_use]
    pub fn new(
        storage: storage::Handle,
        stream: Arc<dyn Stream>,
        inspection: Arc<Inspection>,
    ) -> Arc<Self> {
        let (closed, wake) = (Mutex::default(), Notify::new());
        Arc::new(Self { storage, stream, inspection, closed, wake })
    }

    /// Reads until shut down.
    pub async fn run(&self, shutdown: CancellationToken) {
        let tail = self.stream.tail();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.listen(tail) => {}
            () = self.remember() => {}
        }
    }

    /// Moves closed conversations off the tail; waits for nothing else.
    async fn listen(&self, mut tail: Tail) {
        while let Some(told) = tail.recv().await {
            // The embedded stream, the only one this reads, misses nothing.
            let Told::Events(batch) = told else { continue };
            for event in batch.iter() {
                if matches!(event.body, EventBody::Closed { .. }) {
                    self.inspection.enqueue(event.conversation);
                    let mut closed = self.closed.lock();
                    if closed.len() == MOST_QUEUED {
                        closed.pop_front();
                    }
                    closed.push_back(event.conversation);
                    self.wake.notify_one();
                }
            }
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
