//! What other nodes do to conversations, seen on the tail: rows that are remembered here learn of it, and whom a
//! conversation was assigned to follows it. The node that made a change shows it to everyone by signals, which may be
//! lost; an agent who never hears of a conversation would leave its visitor alone, so that is made good here.
//!
//! The agent's node remembers what it has from the beginning, as the visitor's does that opened it: who talks already
//! talks on while storage is away, on whatever nodes.
//!
//! Where there is one node only, this ends at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Conversations;
use crate::domain::conversation::State;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{AgentId, ConversationId};
use crate::domain::people::Party;
use crate::domain::refusal::Refusal;
use crate::sessions::{Follow, Push};
use crate::storage::Search;
use crate::stream::{Tail, Told};

/// How long a signal is waited for until what it should have said is found out.
const LATE: Duration = Duration::from_secs(1);
/// Most assignments that are looked at later; beyond it all agents who are here are looked at.
const MOST: usize = 4096;
/// Most conversations of one agent.
const ROWS: u32 = 200;

/// What is to be looked at: an assignment, or, with none, everything that agents who are here have.
type Look = Option<(ConversationId, AgentId)>;

/// What is to be looked at, and when.
#[derive(Default)]
struct Looks {
    due: Mutex<VecDeque<(Instant, Look)>>,
    more: Notify,
}

impl Looks {
    fn add(&self, look: Look) {
        let mut due = self.due.lock();
        let all = due.len() == MOST;
        if all {
            due.clear();
        }
        due.push_back((Instant::now() + LATE, if all { None } else { look }));
        self.more.notify_one();
    }

    /// The next one, once it is due.
    async fn next(&self) -> Look {
        loop {
            let first = self.due.lock().pop_front();
            let Some((at, look)) = first else {
                self.more.notified().await;
                continue;
            };
            sleep_until(at).await;
            return look;
        }
    }
}

impl Conversations {
    /// Follows the tail until shutdown. The tail is opened before the first await.
    pub fn follow_others(
        self: &Arc<Self>,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let me = Arc::clone(self);
        let tail = (!self.parts.sessions.is_alone()).then(|| self.parts.stream.tail());
        async move {
            let Some(tail) = tail else { return };
            let looks = Looks::default();
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = me.listen(tail, &looks) => tracing::error!("the stream's tail ended"),
                () = me.look_later(&looks) => {}
            }
        }
    }

    /// Waits for nothing but the tail: what is told late would let people speak who may not.
    async fn listen(&self, mut tail: Tail, looks: &Looks) {
        while let Some(told) = tail.recv().await {
            match told {
                Told::Events(batch) => batch.iter().for_each(|event| self.happened(event, looks)),
                Told::Missed => {
                    self.known.forget_all();
                    looks.add(None);
                }
            }
        }
    }

    fn happened(&self, event: &Event, looks: &Looks) {
        match event.body {
            EventBody::Message { .. } | EventBody::Note { .. } => return,
            EventBody::Assigned { agent, .. } if self.parts.sessions.has(Party::Agent(agent)) => {
                looks.add(Some((event.conversation, agent)));
            }
            _ => {}
        }
        self.known.tell(event);
    }

    async fn look_later(&self, looks: &Looks) {
        loop {
            let look = looks.next().await;
            if let Err(refusal) = self.look(look).await {
                tracing::warn!(%refusal, "who has what is looked at again");
                looks.add(look);
            }
        }
    }

    async fn look(&self, look: Look) -> Result<(), Refusal> {
        if let Some((id, agent)) = look {
            return self.make_good(id, agent).await;
        }
        for agent in self.parts.sessions.agents() {
            let state = Some(State::Active);
            let search = Search { state, agent: Some(agent), limit: ROWS, ..Search::default() };
            let rows = self.parts.storage.search(&search).await.map_err(super::stored)?;
            for row in rows {
                self.make_good(row.id, agent).await?;
            }
        }
        Ok(())
    }

    /// An agent's sessions here follow what it has, and are shown it, if they do not yet; and it is remembered.
    async fn make_good(&self, id: ConversationId, agent: AgentId) -> Result<(), Refusal> {
        let (sessions, party) = (&self.parts.sessions, Party::Agent(agent));
        if !sessions.lacks(party, id) {
            return self.row_told(id).await.map(drop);
        }
        // Not from memory: what was read while it was assigned may be there, and nothing would tell of it again.
        let row = self.read_row(id).await?;
        if row.state != State::Active || row.agent != Some(agent) {
            return Ok(());
        }
        let summary = self.summarise(&row).await?;
        sessions.follow_here(party, Follow { conversation: id, sent: 0 });
        sessions.push_here(party, Push::Summary(summary));
        Ok(())
    }
}
