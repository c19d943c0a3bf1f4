//! Sessions: one participant's presence, whatever carries it, and its outbox.
//!
//! A session follows conversations. For each it remembers the last `seq` put into its outbox, so that what it is
//! given is strictly increasing and complete: an event that is next goes in, an older one is dropped, a gap is healed
//! by reading the stream. The carrier (a WebSocket or a parked poll) takes from the outbox. It does not know what a
//! frame looks like (that is `transport/wire`), nor who may follow what (that is `conversations`).

use std::sync::Arc;

use serde::Serialize;

use crate::domain::conversation::Conversation;
use crate::domain::event::Event;
use crate::domain::ids::{ConversationId, Seq, SessionId};
use crate::domain::inspection::Report;
use crate::domain::people::Party;

/// Something for a client. Events are durable and resumable; everything else is a signal and may be lost.
#[derive(Debug, Clone, PartialEq)]
pub enum Push {
    /// An event of a followed conversation.
    Event(Arc<Event>),
    /// A conversation's summary, new or changed.
    Summary(Arc<Summary>),
    /// No longer in this client's lists.
    Gone(ConversationId),
    /// Place in the queue.
    Position {
        /// Which conversation.
        conversation: ConversationId,
        /// How many are before it.
        ahead: u32,
        /// Estimated wait in ms.
        wait_ms: Option<u64>,
    },
    /// Someone types.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        from: Party,
        /// Begins or ends.
        on: bool,
    },
    /// Someone's read marks.
    Seen {
        /// Where.
        conversation: ConversationId,
        /// Who.
        from: Party,
        /// Reached the client up to here.
        delivered: Seq,
        /// Was read up to here.
        read: Seq,
    },
    /// An inspection report.
    Report(Arc<Report>),
    /// The session ends.
    Bye(Bye),
}

/// Why the server ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bye {
    /// The server is stopping; come back in a moment.
    Draining,
    /// The outbox was full: resume from the last `seq`.
    SlowReader,
    /// Nothing was heard for the idle timeout.
    Idle,
    /// The token is no longer good.
    Unauthorized,
    /// The client speaks another protocol.
    Protocol,
}

/// A conversation as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The row.
    #[serde(flatten)]
    pub row: Conversation,
    /// The present (or last) agent's name.
    pub agent_name: Option<String>,
    /// Last `seq` known when this was made.
    pub head: Seq,
}

/// Where a session is in one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// Which.
    pub conversation: ConversationId,
    /// The last `seq` put into the outbox.
    pub sent: Seq,
}

/// A session's handle as carriers and services hold it.
pub type Id = SessionId;

/// All sessions of this node.
#[derive(Debug, Default)]
pub struct Sessions {}

impl Sessions {
    /// Gives something to every session of this party (all tabs, all devices). Never waits.
    pub fn push_to(&self, _party: Party, _push: Push) {}

    /// Gives something to every session that follows this conversation, except `but`. Notes and the like are held back
    /// from visitors at the carrier.
    pub fn push_to_followers(
        &self,
        _conversation: ConversationId,
        _but: Option<Party>,
        _push: &Push,
    ) {
    }

    /// Makes every session of this party follow a conversation from `sent` on; healing brings the rest.
    pub fn follow_for(&self, _party: Party, _follow: Follow) {}

    /// Ends following for every session of this party.
    pub fn unfollow_for(&self, _party: Party, _conversation: ConversationId) {}
}
