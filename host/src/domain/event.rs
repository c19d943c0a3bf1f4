//! Events: what happened in a conversation, numbered by `seq`, and the drafts that become them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::Attachment;
use super::ids::{
    AgentId, ClientKey, ConversationId, DecisionId, Millis, Seq, SiteId, TeamId, VisitorId,
};
use super::people::Party;

/// One thing that happened. Immutable once appended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// 1, 2, 3 … inside the conversation, without holes.
    pub seq: Seq,
    /// When the stream made it durable.
    pub at: Millis,
    /// Who did it.
    pub from: Party,
    /// The sender's key, if it came from a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ClientKey>,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// An event that is not yet appended: the stream gives it `seq` and `at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Who did it.
    pub from: Party,
    /// De-duplication: `(conversation, from, key)` is appended once, ever.
    pub key: ClientKey,
    /// What happened.
    pub body: EventBody,
}

impl NewEvent {
    /// As the stream has it now. Keys of the system's events are nobody's business.
    pub(crate) fn appended(self, seq: Seq, at: Millis) -> Event {
        let Self { conversation, from, key, body } = self;
        let key = (from != Party::System).then_some(key);
        Event { conversation, seq, at, from, key, body }
    }
}

/// What happened. The tag `type` is the same word on the wire, in the stream and in storage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// A visitor started a conversation.
    Opened {
        /// Through which site.
        site: SiteId,
        /// Who asks.
        visitor: VisitorId,
        /// Pre-chat answers.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<String, String>,
        /// The page the visitor was on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<String>,
    },
    /// It waits for an agent.
    Queued {
        /// Why.
        cause: QueueCause,
    },
    /// An agent got it.
    Assigned {
        /// Who.
        agent: AgentId,
        /// The agent's name at that time.
        name: String,
        /// The recorded routing decision; `None` when an agent took it by hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<DecisionId>,
    },
    /// Someone said something.
    Message {
        /// The text as everyone sees it (after the filter).
        text: String,
        /// The filter changed the text.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        masked: bool,
        /// A file that goes with it; the text may then be empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Box<Attachment>>,
    },
    /// A note among agents; never shown to the visitor.
    Note {
        /// The text.
        text: String,
    },
    /// Handed on.
    Transferred {
        /// To whom.
        to: TransferTarget,
        /// The target's name at that time.
        name: String,
        /// A word for the next agent; never shown to the visitor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The visitor's rating.
    Rated {
        /// 1 (bad) to 5 (good).
        score: u8,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// It ended.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Why a conversation waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueCause {
    /// Just opened.
    Opened,
    /// Handed to a team.
    Transferred,
    /// Its agent vanished for longer than the grace period.
    AgentLost,
    /// Its agent signed off.
    AgentLeft,
    /// The visitor left a message for later.
    LeftMessage,
}

/// Why a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The agent ended it.
    Agent,
    /// The visitor ended it.
    Visitor,
    /// The visitor left the queue.
    LeftQueue,
}

/// Where a conversation is handed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum TransferTarget {
    /// One agent.
    Agent(AgentId),
    /// A team's queue.
    Team(TeamId),
}

impl EventBody {
    /// What a visitor may see of it: `None` for what is only among agents.
    #[must_use]
    pub fn for_visitor(&self) -> Option<EventBody> {
        match self {
            Self::Note { .. } => None,
            Self::Transferred { to, name, .. } => {
                Some(Self::Transferred { to: *to, name: name.clone(), note: None })
            }
            other => Some(other.clone()),
        }
    }
}
