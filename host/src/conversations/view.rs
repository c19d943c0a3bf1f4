//! Who sees what: summaries, lists, history.

use std::sync::Arc;

use super::members::{own, supervises, takes_part};
use super::{Conversations, stored};
use crate::domain::agent::Agent;
use crate::domain::conversation::{Conversation, State};
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, ConversationId, Seq};
use crate::domain::people::{Principal, Role};
use crate::domain::refusal::Refusal;
use crate::sessions::Summary;
use crate::storage::Search;

/// Most rows in a list.
const MOST: u32 = 200;

/// A row as lists show it.
pub(super) fn summary(row: &Conversation, roster: &[Agent], head: Seq) -> Summary {
    let agent = roster.iter().find(|agent| Some(agent.id) == row.agent);
    Summary { row: row.clone(), agent_name: agent.map(|agent| agent.name.clone()), head }
}

impl Conversations {
    /// Whether this principal may see the conversation; its summary if so.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] both when there is none and when it is not theirs to see.
    pub async fn visible(
        &self,
        who: &Principal,
        id: ConversationId,
    ) -> Result<Arc<Summary>, Refusal> {
        let row = self.row(id).await?;
        if !own(who, &row) && !supervises(who) && !self.waits_for(who, &row).await? {
            return Err(Refusal::NotFound("conversation"));
        }
        self.summarise(&row).await
    }

    /// Whether it waits for a team of this agent.
    async fn waits_for(&self, who: &Principal, row: &Conversation) -> Result<bool, Refusal> {
        let Principal::Agent { agent, .. } = *who else { return Ok(false) };
        if row.state != State::Waiting {
            return Ok(false);
        }
        Ok(self.account(agent).await?.teams.contains(&row.team))
    }

    pub(super) async fn summarise(&self, row: &Conversation) -> Result<Arc<Summary>, Refusal> {
        let roster = self.roster().await?;
        let head = self.parts.stream.head(row.id).await.map_err(unreadable)?;
        Ok(Arc::new(summary(row, &roster, head)))
    }

    async fn summaries(&self, rows: &[Conversation]) -> Result<Vec<Arc<Summary>>, Refusal> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(self.summarise(row).await?);
        }
        Ok(all)
    }

    /// Whether this principal takes part (cheap, cached): for typing and read marks.
    ///
    /// # Errors
    /// `NotFound` or `Forbidden` when not.
    pub async fn takes_part(&self, who: &Principal, id: ConversationId) -> Result<(), Refusal> {
        takes_part(who, &*self.row_told(id).await?)
    }

    /// What a client is told first: visitors their open (or last) conversation, agents their active
    /// ones and their teams' waiting ones.
    ///
    /// # Errors
    /// Storage is away.
    pub async fn initial(&self, who: &Principal) -> Result<Vec<Arc<Summary>>, Refusal> {
        let rows = match *who {
            Principal::Visitor { visitor, .. } => {
                let visitor = Some(visitor);
                let mut rows =
                    self.find(Search { visitor, limit: 20, ..Search::default() }).await?;
                let any_open = rows.iter().any(|row| row.state != State::Closed);
                if any_open {
                    rows.retain(|row| row.state != State::Closed);
                } else {
                    rows.truncate(1);
                }
                rows
            }
            Principal::Agent { agent, .. } => {
                let mut rows = self.find(of_agent(State::Active, agent)).await?;
                let teams = self.account(agent).await?.teams;
                if !teams.is_empty() {
                    let state = Some(State::Waiting);
                    let waiting = Search { state, teams, limit: MOST, ..Search::default() };
                    rows.extend(self.find(waiting).await?);
                }
                rows
            }
        };
        self.summaries(&rows).await
    }

    async fn find(&self, search: Search) -> Result<Vec<Conversation>, Refusal> {
        self.parts.storage.search(&search).await.map_err(stored)
    }

    /// Events with `after < seq`, in order, as this principal may see them. Fewer than `limit` only
    /// at the end.
    ///
    /// # Errors
    /// As [`Self::visible`]; the stream cannot be read.
    pub async fn history(
        &self,
        who: &Principal,
        id: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, Refusal> {
        self.visible(who, id).await?;
        let limit = limit.clamp(1, 500);
        let mut seen = Vec::new();
        let mut after = after;
        while seen.len() < limit {
            let page = self.parts.stream.read(id, after, limit).await.map_err(unreadable)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            let whole = page.len() == limit;
            let room = limit - seen.len();
            seen.extend(page.into_iter().filter_map(|event| shown(who, event)).take(room));
            if !whole {
                break;
            }
        }
        Ok(seen)
    }

    /// Lists, newest first: visitors their own, agents their own and their teams' waiting,
    /// supervisors all.
    ///
    /// # Errors
    /// `Forbidden` for someone else's list; storage is away.
    pub async fn search(
        &self,
        who: &Principal,
        search: Search,
    ) -> Result<Vec<Arc<Summary>>, Refusal> {
        let Some(search) = self.allowed(who, search).await? else { return Ok(Vec::new()) };
        let rows = self.find(search).await?;
        self.summaries(&rows).await
    }

    /// How many [`Self::search`] finds on all pages, up to [`COUNTED_MOST`](crate::storage::COUNTED_MOST).
    ///
    /// # Errors
    /// As [`Self::search`].
    pub async fn count(&self, who: &Principal, search: Search) -> Result<u32, Refusal> {
        let Some(search) = self.allowed(who, search).await? else { return Ok(0) };
        self.parts.storage.count(&search).await.map_err(stored)
    }

    /// A search, narrowed to what this principal's lists may show; `None`: that is nothing.
    async fn allowed(&self, who: &Principal, search: Search) -> Result<Option<Search>, Refusal> {
        let mut search = Search { limit: search.limit.clamp(1, MOST), ..search };
        match *who {
            Principal::Visitor { visitor, .. } => {
                search.visitor = Some(visitor);
            }
            Principal::Agent { agent, role: Role::Agent } => {
                if search.agent.is_some_and(|asked| asked != agent) {
                    return Err(Refusal::Forbidden("another agent's conversations"));
                }
                if search.agent.is_none() && search.state == Some(State::Waiting) {
                    let teams = self.account(agent).await?.teams;
                    let asked = |team: &_| search.teams.is_empty() || search.teams.contains(team);
                    search.teams = teams.into_iter().filter(asked).collect();
                    if search.teams.is_empty() {
                        return Ok(None);
                    }
                } else {
                    search.agent = Some(agent);
                }
            }
            Principal::Agent { .. } => {}
        }
        Ok(Some(search))
    }
}

fn of_agent(state: State, agent: AgentId) -> Search {
    Search { state: Some(state), agent: Some(agent), limit: MOST, ..Search::default() }
}

/// An event as this principal sees it: visitors no notes, and a key only its sender.
fn shown(who: &Principal, event: Arc<Event>) -> Option<Arc<Event>> {
    let visitor = matches!(who, Principal::Visitor { .. });
    let others = event.key.is_some() && event.from != who.party();
    if !visitor && !others {
        return Some(event);
    }
    let body = if visitor { event.body.for_visitor()? } else { event.body.clone() };
    let key = if others { None } else { event.key.clone() };
    Some(Arc::new(Event { body, key, ..(*event).clone() }))
}

fn unreadable(error: crate::stream::ReadError) -> Refusal {
    tracing::warn!(%error, "history cannot be read");
    super::unavailable()
}
