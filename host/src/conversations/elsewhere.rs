//! What other nodes do to conversations, seen on the tail: rows that are remembered here are forgotten, and whom a
//! conversation was assigned to follows it. The node that made a change shows it to everyone by signals, which may be
//! lost; an agent who never hears of a conversation would leave its visitor alone, so that is made good here.
//!
//! Where there is one node only, this ends at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

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
type Look = (Instant, Option<(ConversationId, AgentId)>);

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
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = me.watch(tail) => tracing::error!("the stream's tail ended"),
            }
        }
    }

    async fn watch(&self, mut tail: Tail) {
        let mut looks: VecDeque<Look> = VecDeque::new();
        loop {
            let due = looks.front().map_or_else(Instant::now, |(due, _)| *due);
            tokio::select! {
                told = tail.recv() => match told {
                    Some(Told::Events(batch)) => {
                        batch.iter().for_each(|event| self.happened(event, &mut looks));
                    }
                    Some(Told::Missed) => {
                        self.known.forget_all();
                        looks.push_back((Instant::now() + LATE, None));
                    }
                    None => return,
                },
                () = sleep_until(due), if !looks.is_empty() => {
                    if let Some((_, look)) = looks.pop_front()
                        && let Err(refusal) = self.look(look).await
                    {
                        tracing::warn!(%refusal, "who has what is looked at again");
                        looks.push_back((Instant::now() + LATE, look));
                    }
                }
            }
        }
    }

    fn happened(&self, event: &Event, looks: &mut VecDeque<Look>) {
        let id = event.conversation;
        match event.body {
            EventBody::Message { .. } | EventBody::Note { .. } => return,
            EventBody::Assigned { agent, .. } if self.parts.sessions.has(Party::Agent(agent)) => {
                if looks.len() == MOST {
                    looks.clear();
                    looks.push_back((Instant::now() + LATE, None));
                }
                looks.push_back((Instant::now() + LATE, Some((id, agent))));
            }
            _ => {}
        }
        self.known.forget(id);
    }

    async fn look(&self, look: Option<(ConversationId, AgentId)>) -> Result<(), Refusal> {
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

    /// An agent's sessions here follow what it has, and are shown it, if they do not yet.
    async fn make_good(&self, id: ConversationId, agent: AgentId) -> Result<(), Refusal> {
        let (sessions, party) = (&self.parts.sessions, Party::Agent(agent));
        if !sessions.lacks(party, id) {
            return Ok(());
        }
        let row = self.row(id).await?;
        if row.state != State::Active || row.agent != Some(agent) {
            return Ok(());
        }
        let summary = self.summarise(&row).await?;
        sessions.follow_here(party, Follow { conversation: id, sent: 0 });
        sessions.push_here(party, Push::Summary(summary));
        Ok(())
    }
}
