//! Healing: what a session lacks is read from the stream, page by page, as long as its outbox has room. Each
//! (session, conversation) stands in the queue at most once, so the queue is bounded by what is followed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Sessions;
use super::session::{Healed, Session};
use crate::domain::ids::ConversationId;
use crate::runtime;

/// How long to wait for an event that was announced but cannot be read yet, or for a stream that cannot be read.
const LATER: Duration = Duration::from_millis(50);

type Case = (Arc<Session>, ConversationId);

#[derive(Default)]
pub(super) struct Healing {
    queue: Mutex<VecDeque<Case>>,
    ready: Notify,
}

impl Healing {
    pub(super) fn add(&self, session: Arc<Session>, conversation: ConversationId) {
        self.queue.lock().push_back((session, conversation));
        self.ready.notify_one();
    }

    async fn next(&self) -> Case {
        loop {
            let case = self.queue.lock().pop_front();
            match case {
                Some(case) => return case,
                None => self.ready.notified().await,
            }
        }
    }
}

impl Sessions {
    /// Events were missed, nobody knows whose: everything followed is read again from where it is.
    pub(super) fn heal_everyone(&self) {
        for shard in &self.by_id {
            let sessions: Vec<_> = shard.lock().values().cloned().collect();
            for session in sessions {
                for conversation in session.doubt() {
                    self.healing.add(session.clone(), conversation);
                }
            }
        }
    }

    /// One worker: heals a page at a time, so that a long resume does not hold up short ones.
    pub(super) async fn heal_all(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            let case = tokio::select! {
                () = shutdown.cancelled() => return,
                case = self.healing.next() => case,
            };
            self.heal_one(case).await;
        }
    }

    async fn heal_one(self: &Arc<Self>, (session, conversation): Case) {
        let Some((after, room)) = session.heal_from(conversation) else { return };
        let limit = room.min(self.limits.heal_page).max(1);
        let healed = match self.stream.read(conversation, after, limit).await {
            Ok(page) => {
                self.heals.fetch_add(u64::from(!page.is_empty()), Ordering::Relaxed);
                session.heal(conversation, &page, page.len() < limit)
            }
            Err(error) => {
                tracing::warn!(%conversation, %error, "cannot heal a gap yet");
                Healed::Later
            }
        };
        match healed {
            Healed::Done | Healed::Parked => {}
            Healed::More => self.healing.add(session, conversation),
            Healed::Later => {
                let sessions = self.clone();
                runtime::spawn(async move {
                    tokio::time::sleep(LATER).await;
                    sessions.healing.add(session, conversation);
                });
            }
        }
    }
}
