//! Conversations: what people do to a conversation, from the check to the durable event.
//!
//! `check` (all that can fail because of the person) → filter → `stream.append` for messages; for changes of state
//! `domain::conversation::apply` → compare-and-set in storage with pending events → append → settled. Who answers is
//! not decided here: `routing` sees the `queued` and `closed` events on the stream's tail.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::event::{Event, TransferTarget};
use crate::domain::ids::{ClientKey, ConversationId, Seq};
use crate::domain::people::Principal;
use crate::domain::refusal::Refusal;
use crate::runtime::Clock;
use crate::sessions::{Sessions, Summary};
use crate::storage;
use crate::stream::{Receipt, Stream};
use crate::{plugins::Plugins, presence::Presence};

/// The service.
#[expect(dead_code, reason = "stub")]
pub struct Conversations {
    storage: storage::Handle,
    stream: Arc<dyn Stream>,
    plugins: Arc<Plugins>,
    sessions: Arc<Sessions>,
    presence: Arc<Presence>,
    clock: Clock,
    limits: Limits,
}

/// Bounds a message and a form must keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Most bytes in a message or note.
    pub text_bytes: usize,
    /// Most bytes in a form answer.
    pub field_bytes: usize,
    /// Messages per sender.
    pub rate: crate::domain::rate::Rate,
}

/// What a visitor asks for when opening.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// De-duplication: the same visitor and key open one conversation.
    pub key: ClientKey,
    /// Pre-chat answers.
    pub fields: BTreeMap<String, String>,
    /// First message.
    pub text: Option<String>,
    /// The page.
    pub page: Option<String>,
    /// `zh-CN`, `en` ….
    pub language: Option<String>,
    /// Leave a message instead of waiting.
    pub offline: bool,
}

/// What came of a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The receipt.
    pub receipt: Receipt,
    /// The text as kept, when the filter changed it.
    pub text: Option<String>,
    /// Rules that changed it.
    pub rules: Vec<String>,
}

/// One thing asked of an existing conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Say something; `note` only for agents.
    Say {
        /// The text.
        text: String,
        /// Among agents only.
        note: bool,
    },
    /// End it (a waiting visitor leaves the queue).
    Close,
    /// Rate it.
    Rate {
        /// 1–5.
        score: u8,
        /// In words.
        comment: Option<String>,
    },
    /// Hand it on.
    Transfer {
        /// To whom.
        to: TransferTarget,
        /// A word for the next one.
        note: Option<String>,
    },
    /// An agent takes a waiting one.
    Take,
}

impl Conversations {
    /// Opens a conversation for a visitor. Same visitor and key: the same conversation again.
    pub async fn open(
        &self,
        _who: &Principal,
        _open: Open,
    ) -> Result<(ConversationId, Sent), Refusal> {
        Err(stub())
    }

    /// Does one thing to a conversation.
    pub async fn ask(
        &self,
        _who: &Principal,
        _conversation: ConversationId,
        _key: ClientKey,
        _ask: Ask,
    ) -> Result<Sent, Refusal> {
        Err(stub())
    }

    /// Whether this principal may see the conversation; its summary if so.
    pub async fn visible(
        &self,
        _who: &Principal,
        _id: ConversationId,
    ) -> Result<Arc<Summary>, Refusal> {
        Err(stub())
    }

    /// Whether this principal takes part (cheap, cached): for typing and read marks.
    pub async fn takes_part(&self, _who: &Principal, _id: ConversationId) -> Result<(), Refusal> {
        Err(stub())
    }

    /// What a client is told first: visitors their open (or last) conversation, agents their active ones and their
    /// teams' waiting ones.
    pub async fn initial(&self, _who: &Principal) -> Result<Vec<Arc<Summary>>, Refusal> {
        Err(stub())
    }

    /// Events with `after < seq`, in order, as this principal may see them.
    pub async fn history(
        &self,
        _who: &Principal,
        _id: ConversationId,
        _after: Seq,
        _limit: usize,
    ) -> Result<Vec<Arc<Event>>, Refusal> {
        Err(stub())
    }

    /// Lists, newest first.
    pub async fn search(
        &self,
        _who: &Principal,
        _search: storage::Search,
    ) -> Result<Vec<Arc<Summary>>, Refusal> {
        Err(stub())
    }

    /// An agent's status; offline sends its conversations back to the queue.
    pub async fn set_status(
        &self,
        _who: &Principal,
        _status: crate::domain::agent::Status,
    ) -> Result<(), Refusal> {
        Err(stub())
    }

    /// Sends all active conversations of an agent back to the queue (grace period over, signed off).
    pub async fn requeue_all(
        &self,
        _agent: crate::domain::ids::AgentId,
        _cause: crate::domain::event::QueueCause,
    ) -> Result<(), Refusal> {
        Err(stub())
    }
}

fn stub() -> Refusal {
    Refusal::Unavailable { reason: "starting", retry_after_ms: 1000 }
}
