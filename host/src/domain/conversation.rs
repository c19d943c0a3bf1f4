//! A conversation: its row and its state machine.
//!
//! ```text
//!            open                     assign (routing claim, take)
//!   (none) ───────▶ waiting ───────────────────────────────▶ active
//!                    │  ▲                                     │  │
//!        leave, close│  └──── requeue (agent lost or left, ───┘  │ close
//!                    │        transfer to a team)                │ to an agent: → active
//!                    ▼                                           ▼
//!                  closed ◀──────────────────────────────────  closed     rate: closed → closed
//! ```
//!
//! Each arrow is a `Command` and is performed by [`apply`] and nowhere else. What cannot happen: a
//! closed conversation never opens again; a waiting one never has an agent; an active one always has
//! one. A closed one keeps the agent who answered last, if anybody did.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{CloseReason, EventBody, QueueCause, TransferTarget};
use super::ids::{AgentId, ConversationId, DecisionId, Millis, SiteId, TeamId, VisitorId};
use super::people::Party;
use super::refusal::Refusal;
use super::routing::SkillNeed;

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No agent yet.
    Waiting,
    /// An agent has it.
    Active,
    /// Over.
    Closed,
}

/// The row kept in storage. Changed only by compare-and-set on `version`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Through which site.
    pub site: SiteId,
    /// Whose queue it is in.
    pub team: TeamId,
    /// Who asks.
    pub visitor: VisitorId,
    /// The visitor's name, once known.
    pub visitor_name: Option<String>,
    /// The site's own server vouched for the visitor when it was opened.
    #[serde(default)]
    pub verified: bool,
    /// Where it stands.
    pub state: State,
    /// Who answers; `Some` exactly while active, and after closing the one who answered last.
    pub agent: Option<AgentId>,
    /// What an agent must be able to do.
    pub needs: Vec<SkillNeed>,
    /// 0 (normal) to 9; higher first.
    pub priority: u8,
    /// Pre-chat answers.
    pub fields: BTreeMap<String, String>,
    /// The page it was opened on.
    pub page: Option<String>,
    /// `zh-CN`, `en` …, as the widget says.
    pub language: Option<String>,
    /// The visitor left a message for later: routing leaves it alone, an agent takes it by hand.
    pub offline: bool,
    /// When it was opened.
    pub opened_at: Millis,
    /// When it last began to wait; its place in the queue.
    pub waiting_since: Millis,
    /// When the present agent got it.
    pub assigned_at: Option<Millis>,
    /// When it ended.
    pub closed_at: Option<Millis>,
    /// Rating, 1–5.
    pub rating: Option<u8>,
    /// Agents that handed it back to a team: for a while routing does not give it to them again,
    /// they may take it by hand. (One that vanished or signed off is not among them: when it is
    /// back it may well answer on.)
    pub declined: Vec<Declined>,
    /// Raised by one with every change.
    pub version: u64,
}

/// An agent handed a conversation back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declined {
    /// Who.
    pub agent: AgentId,
    /// When, the last time.
    pub at: Millis,
}

/// What is to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// An agent gets it (routing won its claim, or the agent took it).
    Assign {
        /// Who.
        agent: AgentId,
        /// Its name.
        name: String,
        /// The recorded decision.
        decision: Option<DecisionId>,
    },
    /// Its agent is gone; back to the queue.
    Requeue(QueueCause),
    /// Handed on by its agent or a supervisor.
    Transfer {
        /// To whom.
        to: TransferTarget,
        /// The target's name.
        name: String,
        /// A word for the next one.
        note: Option<String>,
    },
    /// Ends.
    Close(Party),
    /// The visitor rates it.
    Rate {
        /// 1–5.
        score: u8,
        /// In words.
        comment: Option<String>,
    },
}

/// The outcome of a command: the next row and what to tell, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row to store, `version` already raised.
    pub next: Conversation,
    /// Events to append, in order.
    pub events: Vec<EventBody>,
}

/// Decides what a command does to a conversation. Who may give the command is decided before.
///
/// # Errors
/// [`Refusal::Conflict`] when the state does not allow it; [`Refusal::Invalid`] for a rating
/// outside 1–5.
pub fn apply(row: &Conversation, command: Command, now: Millis) -> Result<Change, Refusal> {
    let mut next = row.clone();
    next.version += 1;
    let events = match (row.state, command) {
        (State::Waiting, Command::Assign { agent, name, decision }) => {
            assign(&mut next, agent, now);
            vec![EventBody::Assigned { agent, name, decision }]
        }
        (State::Active, Command::Requeue(cause)) => {
            next.agent = None;
            requeue(&mut next, now);
            vec![EventBody::Queued { cause }]
        }
        (State::Active | State::Waiting, Command::Transfer { to, name, note }) => {
            transfer(&mut next, to, name, note, now)
        }
        (State::Waiting | State::Active, Command::Close(by)) => {
            next.state = State::Closed;
            next.closed_at = Some(now);
            let reason = match (row.state, by) {
                (State::Waiting, Party::Visitor(_)) => CloseReason::LeftQueue,
                (_, Party::Visitor(_)) => CloseReason::Visitor,
                _ => CloseReason::Agent,
            };
            vec![EventBody::Closed { reason }]
        }
        (State::Closed, Command::Rate { score, comment }) => {
            if !(1..=5).contains(&score) {
                return Err(Refusal::Invalid { field: "score", rule: "1 to 5".into() });
            }
            next.rating = Some(score);
            vec![EventBody::Rated { score, comment }]
        }
        (State::Closed, _) => return Err(Refusal::Conflict("the conversation is closed")),
        (_, Command::Rate { .. }) => {
            return Err(Refusal::Conflict("a conversation is rated after it is closed"));
        }
        (State::Active, Command::Assign { .. }) => {
            return Err(Refusal::Conflict("another agent has it"));
        }
        (State::Waiting, Command::Requeue(_)) => {
            return Err(Refusal::Conflict("it is already waiting"));
        }
    };
    Ok(Change { next, events })
}

/// The row as an event tells of it: where it stands, who has it, whose queue it is in. Enough to know who may speak, and
/// no row to change: its `version` stays behind.
#[must_use]
pub fn told(row: &Conversation, body: &EventBody) -> Conversation {
    let mut next = row.clone();
    if row.state == State::Closed {
        return next;
    }
    match *body {
        EventBody::Assigned { agent, .. } => {
            (next.state, next.agent) = (State::Active, Some(agent));
        }
        EventBody::Queued { .. } => (next.state, next.agent) = (State::Waiting, None),
        EventBody::Transferred { to: TransferTarget::Team(team), .. } => next.team = team,
        EventBody::Closed { .. } => next.state = State::Closed,
        EventBody::Transferred { to: TransferTarget::Agent(_), .. }
        | EventBody::Opened { .. }
        | EventBody::Message { .. }
        | EventBody::Note { .. }
        | EventBody::Rated { .. } => {}
    }
    next
}

fn assign(next: &mut Conversation, agent: AgentId, now: Millis) {
    next.state = State::Active;
    next.agent = Some(agent);
    next.assigned_at = Some(now);
    next.offline = false;
}

fn requeue(next: &mut Conversation, now: Millis) {
    next.state = State::Waiting;
    if let Some(agent) = next.agent.take() {
        next.declined.retain(|one| one.agent != agent);
        next.declined.push(Declined { agent, at: now });
    }
    next.assigned_at = None;
    next.waiting_since = now;
}

fn transfer(
    next: &mut Conversation,
    to: TransferTarget,
    name: String,
    note: Option<String>,
    now: Millis,
) -> Vec<EventBody> {
    let told = EventBody::Transferred { to, name: name.clone(), note };
    match to {
        TransferTarget::Agent(agent) => {
            assign(next, agent, now);
            vec![told, EventBody::Assigned { agent, name, decision: None }]
        }
        TransferTarget::Team(team) => {
            requeue(next, now);
            next.team = team;
            vec![told, EventBody::Queued { cause: QueueCause::Transferred }]
        }
    }
}

#[cfg(test)]
mod tests;
