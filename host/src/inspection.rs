//! Inspection: every closed conversation gets a report, and its agent's quality moves a tenth of
//! the way to the score.
//!
//! Closed conversations come in through [`Inspection::enqueue`], one at a time go through the
//! plugin on a blocking thread, and what does not fit the bounded queue is found again in storage
//! (`uninspected`). A conversation that no plugin scored gets an empty card, so that it is not
//! asked about for ever. Several nodes may inspect one at the same time, as after a crash; the first report counts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::conversation::Conversation;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{AgentId, ConversationId};
use crate::domain::inspection::{Report, Scorecard};
use crate::domain::people::{Party, Role};
use crate::domain::plugin::{InspectionInput, Line, Speaker};
use crate::plugins::Plugins;
use crate::runtime::Clock;
use crate::sessions::{Push, Sessions};
use crate::storage::{self, StorageError};
use crate::stream::{ReadError, Stream};

/// Most conversations waiting in memory.
const MOST_QUEUED: usize = 1024;
/// Read from storage at once.
const BATCH: u32 = 100;
/// Most events of one conversation that are inspected: the last ones.
const MOST_LINES: u64 = 5000;
/// Events read at once.
const PAGE: usize = 500;
/// After an outage, when to try again.
const RETRY: Duration = Duration::from_secs(1);

/// The service.
pub struct Inspection {
    storage: storage::Handle,
    stream: Arc<dyn Stream>,
    plugins: Arc<Plugins>,
    sessions: Arc<Sessions>,
    clock: Clock,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug)]
struct Queue {
    ids: VecDeque<ConversationId>,
    /// Storage may know more.
    more: bool,
}

/// Why a conversation is not inspected yet.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Stream(#[from] ReadError),
    #[error("the inspecting thread ended early")]
    Thread,
}

impl Inspection {
    /// The service; it begins with what storage has uninspected.
    #[must_use]
    pub fn new(
        storage: storage::Handle,
        stream: Arc<dyn Stream>,
        plugins: Arc<Plugins>,
        sessions: Arc<Sessions>,
        clock: Clock,
    ) -> Arc<Self> {
        let queue = Mutex::new(Queue { ids: VecDeque::new(), more: true });
        Arc::new(Self { storage, stream, plugins, sessions, clock, queue, wake: Notify::new() })
    }

    /// A conversation has closed. Never waits.
    pub fn enqueue(&self, id: ConversationId) {
        let mut queue = self.queue.lock();
        if queue.ids.len() < MOST_QUEUED {
            queue.ids.push_back(id);
        } else {
            queue.more = true;
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Works until shut down; a report in the making is finished.
    pub async fn run(&self, shutdown: CancellationToken) {
        loop {
            let next = self.queue.lock().ids.pop_front();
            let done = match next {
                Some(id) => self.inspect(id).await,
                None if self.queue.lock().more => self.read_more().await,
                None => {
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        () = self.wake.notified() => continue,
                    }
                }
            };
            if let Err(error) = done {
                tracing::warn!(%error, "inspection waits for an outage to end");
                self.queue.lock().more = true;
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
            if shutdown.is_cancelled() {
                return;
            }
        }
    }

    /// Takes what storage has uninspected; called with an empty queue, so nothing is in twice for
    /// long.
    async fn read_more(&self) -> Result<(), Failed> {
        let ids = self.storage.uninspected(BATCH).await?;
        let mut queue = self.queue.lock();
        queue.more = ids.len() == BATCH as usize;
        queue.ids.extend(ids);
        Ok(())
    }

    /// Makes the report of one closed conversation.
    async fn inspect(&self, id: ConversationId) -> Result<(), Failed> {
        let Some(row) = self.storage.conversation(id).await? else { return Ok(()) };
        if row.closed_at.is_none() || self.storage.report(id).await?.is_some() {
            return Ok(());
        }
        let report = match row.agent {
            Some(_) => self.ask(&row).await?,
            None => self.report(&row, None, None),
        };
        if !self.storage.record_report(&report).await? {
            // Another node was quicker; quality moves once.
            return Ok(());
        }
        if let (Some(agent), Some(_)) = (report.agent, report.generation) {
            self.storage.blend_quality(agent, f64::from(report.card.score) / 100.0).await?;
        }
        self.show(report).await
    }

    async fn ask(&self, row: &Conversation) -> Result<Report, Failed> {
        let language = row.language.iter().map(|tag| ("language".to_owned(), tag.clone()));
        let rating = row.rating.iter().map(|score| ("rating".to_owned(), score.to_string()));
        let input = InspectionInput {
            now: self.clock.now(),
            seed: row.id.get(),
            conversation: row.id,
            site: row.site,
            lines: self.lines(row.id).await?,
            attrs: language.chain(rating).collect(),
        };
        let plugins = Arc::clone(&self.plugins);
        let asked = tokio::task::spawn_blocking(move || plugins.inspect(&input)).await;
        let answer = asked.map_err(|_| Failed::Thread)?;
        let generation = answer.generation.filter(|_| answer.value.is_some());
        Ok(self.report(row, answer.value, generation))
    }

    fn report(
        &self,
        row: &Conversation,
        card: Option<Scorecard>,
        generation: Option<crate::domain::ids::GenerationId>,
    ) -> Report {
        let empty = Scorecard { score: 0, items: Vec::new(), findings: Vec::new() };
        Report {
            conversation: row.id,
            agent: row.agent,
            at: self.clock.now(),
            generation,
            card: card.unwrap_or(empty),
        }
    }

    async fn lines(&self, id: ConversationId) -> Result<Vec<Line>, Failed> {
        let head = self.stream.head(id).await?;
        let mut after = head.saturating_sub(MOST_LINES);
        let mut lines = Vec::new();
        while after < head {
            let page = self.stream.read(id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            lines.extend(page.iter().map(|event| line(event)));
        }
        Ok(lines)
    }

    /// Shows a report that a plugin made to the agent and to those who supervise.
    async fn show(&self, report: Report) -> Result<(), Failed> {
        if report.generation.is_none() {
            return Ok(());
        }
        let agents = self.storage.agents().await?;
        let supervises = |role| role >= Role::Supervisor;
        let seers = agents.iter().filter(|a| supervises(a.role) || Some(a.id) == report.agent);
        let seers: Vec<AgentId> = seers.map(|agent| agent.id).collect();
        let report = Arc::new(report);
        for agent in seers {
            self.sessions.push_to(Party::Agent(agent), Push::Report(Arc::clone(&report)));
        }
        Ok(())
    }
}

/// An event as an inspector sees it.
fn line(event: &Event) -> Line {
    let by = match event.from {
        Party::Visitor(_) => Speaker::Visitor,
        Party::Agent(_) => Speaker::Agent,
        Party::System => Speaker::System,
    };
    let (kind, text) = match &event.body {
        EventBody::Opened { .. } => ("opened", ""),
        EventBody::Queued { .. } => ("queued", ""),
        EventBody::Assigned { .. } => ("assigned", ""),
        // A file alone is an answer too: its name stands for it.
        EventBody::Message { text, file: Some(file), .. } if text.is_empty() => {
            ("message", file.name.as_str())
        }
        EventBody::Message { text, .. } => ("message", text.as_str()),
        EventBody::Note { .. } => ("note", ""),
        EventBody::Transferred { .. } => ("transferred", ""),
        EventBody::Rated { .. } => ("rated", ""),
        EventBody::Closed { .. } => ("closed", ""),
    };
    Line { seq: event.seq, at: event.at, by, kind: kind.into(), text: text.into() }
}

#[cfg(test)]
mod tests;
