//! Healing: what a session lacks is read from the stream, page by page, as long as its outbox has room. Each
//! (session, conversation) stands in the queue at most once, so the queue is bounded by what is followed. What cannot be
//! read is tried again ever more seldom, and logged once per conversation until it heals. A client is told nothing: to
//! it a gap that stays is a conversation in which nothing happens, and there is nothing it could do.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Sessions;
use super::session::{Healed, Session};
use crate::domain::ids::{ConversationId, SessionId};
use crate::runtime;

/// How long to wait before what could not be read is tried again, at first; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// And at most: so long a session lacks what has become readable.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A session that lacks something of a conversation.
struct Case {
    session: Arc<Session>,
    conversation: ConversationId,
    /// Reads in a row that gave nothing.
    tries: u32,
}

#[derive(Default)]
pub(super) struct Healing {
    queue: Mutex<VecDeque<Case>>,
    ready: Notify,
    /// Conversations that cannot be read, each with the sessions that wait for it.
    stuck: Mutex<HashMap<ConversationId, HashSet<SessionId>>>,
}

impl Healing {
    pub(super) fn add(&self, session: Arc<Session>, conversation: ConversationId) {
        self.put(Case { session, conversation, tries: 0 });
    }

    fn put(&self, case: Case) {
        self.queue.lock().push_back(case);
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

    /// A case cannot go on. Says whether to try it again: not if an older one of the same session,
    /// which left the conversation and came back meanwhile, is tried again already.
    fn is_stuck(&self, case: &Case, why: &str) -> bool {
        if case.tries > 0 {
            return true;
        }
        let conversation = case.conversation;
        let mut stuck = self.stuck.lock();
        let sessions = stuck.entry(conversation).or_default();
        if sessions.is_empty() {
            tracing::warn!(%conversation, why, "cannot heal a gap; goes on trying");
        }
        sessions.insert(case.session.id())
    }

    /// A case went on or ended.
    fn is_over(&self, case: &Case) {
        if case.tries == 0 {
            return;
        }
        let conversation = case.conversation;
        let mut stuck = self.stuck.lock();
        let Some(sessions) = stuck.get_mut(&conversation) else { return };
        sessions.remove(&case.session.id());
        if sessions.is_empty() {
            stuck.remove(&conversation);
            tracing::info!(%conversation, "no gap is left that cannot heal");
        }
    }
}

/// How long to wait after so many reads in a row that gave nothing.
pub(super) fn wait(tries: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX)).min(LONGEST_WAIT)
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
            match self.heal_one(&case).await {
                Ok(healed) => {
                    self.healing.is_over(&case);
                    if healed == Healed::More {
                        self.healing.add(case.session, case.conversation);
                    }
                }
                Err(why) => {
                    self.unhealed.fetch_add(1, Ordering::Relaxed);
                    if self.healing.is_stuck(&case, &why) {
                        self.heal_later(case, shutdown.clone());
                    }
                }
            }
        }
    }

    /// Reads a page; an error says why it gave nothing.
    async fn heal_one(&self, case: &Case) -> Result<Healed, String> {
        let conversation = case.conversation;
        let Some((after, room)) = case.session.heal_from(conversation) else {
            return Ok(Healed::Done);
        };
        let limit = room.min(self.limits.heal_page).max(1);
        let page = self.stream.read(conversation, after, limit).await;
        let page = page.map_err(|error| error.to_string())?;
        let healed = case.session.heal(conversation, &page, page.len() < limit);
        if healed == Healed::Later {
            return Err(format!("seq {} is announced and not there", after + 1));
        }
        self.heals.fetch_add(u64::from(!page.is_empty()), Ordering::Relaxed);
        Ok(healed)
    }

    fn heal_later(self: &Arc<Self>, case: Case, shutdown: CancellationToken) {
        let sessions = self.clone();
        runtime::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait(case.tries)) => {
                    let tries = case.tries.saturating_add(1);
                    sessions.healing.put(Case { tries, ..case });
                }
            }
        });
    }
}
