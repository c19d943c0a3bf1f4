//! A change of state, carried out: row and pending events in one transaction, then the events into
//! the stream, then
//! `settled`, then everyone is shown. Once begun it is finished by a task of its own, even when the
//! asker is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedRwLockWriteGuard, oneshot};

use super::{Conversations, appended, stored, unavailable};
use crate::domain::agent::Agent;
use crate::domain::conversation::{Command, Conversation, State, apply};
use crate::domain::event::{EventBody, NewEvent, QueueCause};
use crate::domain::ids::{AgentId, ClientKey, ConversationId};
use crate::domain::people::{Party, Role};
use crate::domain::refusal::Refusal;
use crate::domain::routing::Decision;
use crate::runtime;
use crate::sessions::{Follow, Push};
use crate::storage::{Claim, Search, Untold};
use crate::stream::Receipt;

/// One change, ready to be stored.
pub(super) struct Step {
    /// The row before; `None` when it is being opened.
    pub(super) from: Option<Arc<Conversation>>,
    /// The row after.
    pub(super) next: Conversation,
    /// What to tell, in order.
    pub(super) events: Vec<NewEvent>,
    /// What routing decided, when it is routing that gives it to an agent.
    pub(super) decision: Option<Arc<Decision>>,
    /// Nothing else happens to the conversation meanwhile.
    pub(super) guard: OwnedRwLockWriteGuard<()>,
}

/// Why a change was not made.
pub(super) enum Denied {
    /// The agent may not have one more.
    AgentFull,
    /// The stored row is not the one this began with.
    Lost,
    /// Anything else.
    Refused(Refusal),
}

/// Gives events their keys: the client's for the first one, `c<version>-<i>` for the rest. Only the
/// first comes from the party itself, what follows from it comes from the system.
pub(super) fn named(
    next: &Conversation,
    party: Party,
    key: Option<ClientKey>,
    bodies: Vec<EventBody>,
) -> Vec<NewEvent> {
    let mut key = key;
    let name = |(i, body)| {
        let from = if i == 0 { party } else { Party::System };
        let key = key.take().or_else(|| format!("c{}-{i}", next.version).parse().ok())?;
        Some(NewEvent { conversation: next.id, from, key, body })
    };
    bodies.into_iter().enumerate().filter_map(name).collect()
}

impl Conversations {
    /// Carries a change out. The receipts are those of its events, in order.
    pub(super) async fn commit(&self, step: Step) -> Result<Vec<Receipt>, Denied> {
        let me = self.me.upgrade().ok_or_else(|| Denied::Refused(unavailable()))?;
        let (tell, told) = oneshot::channel();
        runtime::spawn(async move { me.perform(step, tell).await });
        told.await.unwrap_or_else(|_| Err(Denied::Refused(unavailable())))
    }

    async fn perform(&self, step: Step, tell: oneshot::Sender<Result<Vec<Receipt>, Denied>>) {
        let Step { from, next, events, decision, guard } = step;
        let stored = self.store(from.as_deref(), &next, &events, decision.as_deref()).await;
        if let Err(denied) = stored {
            self.known.doubt(next.id);
            if matches!(denied, Denied::Refused(_)) {
                // It may be stored all the same.
                self.failed_to_tell();
            }
            drop(tell.send(Err(denied)));
            return;
        }
        let next = Arc::new(next);
        self.known.keep(&next, 0);
        let mut receipts = Vec::with_capacity(events.len());
        for event in events {
            match self.parts.stream.append(event).await {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => {
                    self.failed_to_tell();
                    self.wake_routing();
                    drop(tell.send(Err(Denied::Refused(appended(error)))));
                    return;
                }
            }
        }
        let upto = receipts.last().map_or(0, |last| last.seq);
        self.known.keep(&next, upto);
        self.publish(from.as_deref(), &next, upto).await;
        drop(tell.send(Ok(receipts)));
        drop(guard);
        if let Err(error) = self.parts.storage.settled(next.id, next.version).await {
            tracing::warn!(%error, conversation = %next.id, "a change stays unsettled");
            self.failed_to_tell();
        }
    }

    async fn store(
        &self,
        from: Option<&Conversation>,
        next: &Conversation,
        events: &[NewEvent],
        decision: Option<&Decision>,
    ) -> Result<(), Denied> {
        let storage = &self.parts.storage;
        let failed = |error| Denied::Refused(stored(error));
        let Some(from) = from else {
            return storage.open(next, events).await.map_err(failed);
        };
        if next.state == State::Active && from.agent != next.agent {
            return match storage.claim(next, events, decision).await.map_err(failed)? {
                Claim::Won => Ok(()),
                Claim::AgentFull => Err(Denied::AgentFull),
                Claim::Lost => Err(Denied::Lost),
            };
        }
        let changed = storage.change(next, events).await.map_err(failed)?;
        if changed { Ok(()) } else { Err(Denied::Lost) }
    }

    /// Shows a change to everyone whose lists or windows it touches.
    async fn publish(&self, from: Option<&Conversation>, next: &Conversation, head: u64) {
        let Ok(roster) = self.roster().await else { return };
        let sessions = &self.parts.sessions;
        let id = next.id;
        let summary = Push::Summary(Arc::new(super::view::summary(next, &roster, head)));
        if from.is_none() {
            sessions.follow_for(Party::Visitor(next.visitor), Follow { conversation: id, sent: 0 });
        }
        let had = from.map(|row| audience(row, &roster)).unwrap_or_default();
        let has = audience(next, &roster);
        if next.state == State::Active
            && let Some(agent) = next.agent
        {
            sessions.follow_for(Party::Agent(agent), Follow { conversation: id, sent: 0 });
        }
        if let Some(row) = from.filter(|row| row.state == State::Active)
            && let Some(agent) = row.agent.filter(|agent| next.agent != Some(*agent))
        {
            sessions.unfollow_for(Party::Agent(agent), id);
        }
        sessions.push_to_followers(id, None, &summary);
        if next.state == State::Closed
            && let Some(agent) = next.agent
            && let Some(old) = self.known.closed_by(agent, id)
        {
            sessions.unfollow_for(Party::Agent(agent), old);
        }
        for agent in had.iter().filter(|agent| !has.contains(agent)) {
            // Who looked at it while it waited hears no more of it; who supervises may go on watching.
            if !roster.iter().any(|one| one.id == *agent && one.role >= Role::Supervisor) {
                sessions.unfollow_for(Party::Agent(*agent), id);
            }
            let gone = Push::Gone { conversation: id, version: next.version };
            sessions.push_to(Party::Agent(*agent), gone);
        }
        if next.state == State::Waiting {
            for agent in has {
                sessions.push_to(Party::Agent(agent), summary.clone());
            }
        }
    }

    /// Gives a waiting conversation to the agent whom the decision names as chosen, if both are still
    /// free for it. For routing. Once it is won the decision is kept, even when telling of it fails.
    ///
    /// # Errors
    /// Storage or stream are away.
    pub async fn assign(
        &self,
        id: ConversationId,
        (agent, name): (AgentId, String),
        decision: Arc<Decision>,
    ) -> Result<Claim, Refusal> {
        let guard = self.known.change(id).await;
        let row = self.row(id).await?;
        if row.state != State::Waiting || row.offline {
            return Ok(Claim::Lost);
        }
        let command = Command::Assign { agent, name, decision: Some(decision.id) };
        let change = apply(&row, command, self.parts.clock.now())?;
        let events = named(&change.next, Party::System, None, change.events);
        let (from, next, decision) = (Some(row), change.next, Some(decision));
        match self.commit(Step { from, next, events, decision, guard }).await {
            Ok(_) => Ok(Claim::Won),
            Err(Denied::AgentFull) => Ok(Claim::AgentFull),
            Err(Denied::Lost) => Ok(Claim::Lost),
            Err(Denied::Refused(refusal)) => Err(refusal),
        }
    }

    /// Sends all active conversations of an agent back to the queue (grace period over, signed
    /// off).
    ///
    /// # Errors
    /// Storage or stream are away; what was not sent back then stays with the agent.
    pub async fn requeue_all(&self, agent: AgentId, cause: QueueCause) -> Result<(), Refusal> {
        let (state, agent) = (Some(State::Active), Some(agent));
        let mut search = Search { state, agent, limit: 200, ..Search::default() };
        loop {
            let rows = self.parts.storage.search(&search).await.map_err(stored)?;
            for row in &rows {
                self.requeue(row.id, agent, cause).await?;
            }
            if rows.len() < 200 {
                return Ok(());
            }
            search.before = rows.last().map(|row| row.id);
        }
    }

    async fn requeue(
        &self,
        id: ConversationId,
        agent: Option<AgentId>,
        cause: QueueCause,
    ) -> Result<(), Refusal> {
        let guard = self.known.change(id).await;
        let row = self.row(id).await?;
        if row.state != State::Active || row.agent != agent {
            return Ok(());
        }
        let change = apply(&row, Command::Requeue(cause), self.parts.clock.now())?;
        let events = named(&change.next, Party::System, None, change.events);
        let (from, next, decision) = (Some(row), change.next, None);
        match self.commit(Step { from, next, events, decision, guard }).await {
            Err(Denied::Refused(refusal)) => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Whether a stored change waits to be told because the stream did not take it.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.unsettled.load(Ordering::Acquire) > 0
    }

    /// How old a change is that another node may have left untold; `None` where there is no other.
    #[must_use]
    pub fn left_by_others(&self) -> Option<Duration> {
        Some(self.parts.settle_after).filter(|age| !age.is_zero())
    }

    fn failed_to_tell(&self) {
        self.unsettled.store(self.parts.clock.now().max(1), Ordering::Release);
    }

    /// Appends what a crash or an outage left unappended, on whatever node. Younger changes are left to the node that
    /// made them, since it is appending them now. Keys make it harmless to repeat, and to do on two nodes at once.
    ///
    /// # Errors
    /// Storage or stream are away: to be tried again.
    pub async fn recover(&self) -> Result<(), Refusal> {
        let (storage, age) = (&self.parts.storage, self.parts.settle_after);
        let failed = self.unsettled.load(Ordering::Acquire);
        let begun = self.parts.clock.now();
        let left = storage.unsettled(age).await.map_err(stored)?;
        // Our own last failure is among what was read only when it is old enough; otherwise its turn comes.
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        if failed.saturating_add(age_ms) <= begun {
            let (done, unless) = (Ordering::AcqRel, Ordering::Acquire);
            let _newer_failure = self.unsettled.compare_exchange(failed, 0, done, unless);
        }
        self.tell(left).await
    }

    /// What was stored of these conversations and not told, whoever did it: its answer may have been lost, or its node.
    ///
    /// # Errors
    /// As [`Self::recover`].
    pub(super) async fn tell_left(&self, ids: &[ConversationId]) -> Result<(), Refusal> {
        let mut left = self.parts.storage.unsettled(Duration::ZERO).await.map_err(stored)?;
        left.retain(|change| ids.contains(&change.conversation));
        self.tell(left).await
    }

    async fn tell(&self, left: Vec<Untold>) -> Result<(), Refusal> {
        let storage = &self.parts.storage;
        let mut told = BTreeMap::<ConversationId, Vec<u64>>::new();
        for change in left {
            for event in change.events {
                if let Err(error) = self.parts.stream.append(event).await {
                    self.failed_to_tell();
                    return Err(appended(error));
                }
            }
            told.entry(change.conversation).or_default().push(change.version);
        }
        for (id, versions) in told {
            self.known.doubt(id);
            let row = self.row(id).await?;
            let head = self.parts.stream.head(id).await.map_err(|_| unavailable())?;
            self.publish(None, &row, head).await;
            for version in versions {
                storage.settled(id, version).await.map_err(stored)?;
            }
        }
        Ok(())
    }
}

/// The agents in whose lists it is: its team's while it waits, its agent's after.
fn audience(row: &Conversation, roster: &[Agent]) -> Vec<AgentId> {
    if row.state == State::Waiting {
        let team = |agent: &&Agent| agent.enabled && agent.teams.contains(&row.team);
        return roster.iter().filter(team).map(|agent| agent.id).collect();
    }
    row.agent.into_iter().collect()
}
