//! What is given to clients: events, and signals that may be lost. How it looks on the wire is `transport/wire`; the
//! derived form is for nodes among each other.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::conversation::Conversation;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{ConversationId, Seq};
use crate::domain::inspection::Report;
use crate::domain::outage::Outage;
use crate::domain::people::Party;

/// Something for a client. Events are durable and resumable; everything else is a signal and may be lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Push {
    /// An event of a followed conversation.
    Event(Arc<Event>),
    /// A conversation's summary, new or changed.
    Summary(Arc<Summary>),
    /// No longer in this client's lists.
    Gone {
        /// Which conversation.
        conversation: ConversationId,
        /// The change that took it away: a summary of an older one says nothing any more.
        version: u64,
    },
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
    /// What is out, for those who supervise; nothing: all is well (again).
    Outages(Arc<Vec<Outage>>),
    /// The session ends.
    Bye(Bye),
}

/// Why the server ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The row.
    #[serde(flatten)]
    pub row: Conversation,
    /// The present (or last) agent's name.
    pub agent_name: Option<String>,
    /// Last `seq` known when this was made.
    pub head: Seq,
}

/// One thing in an outbox.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Pushed by a service or by the stream.
    Push(Push),
    /// An answer to this session's own command, already encoded by the transport.
    Reply(Box<str>),
    /// A heartbeat.
    Ping,
}

impl Item {
    /// About how many bytes it holds, for the outbox's bound.
    #[must_use]
    pub fn weight(&self) -> usize {
        const BASE: usize = 96;
        BASE + match self {
            Self::Reply(text) => text.len(),
            Self::Push(Push::Event(event)) => match &event.body {
                EventBody::Message { file: Some(file), text, .. } => {
                    BASE + text.len() + file.name.len() + file.url.len()
                }
                EventBody::Message { text, .. } | EventBody::Note { text } => text.len(),
                _ => BASE,
            },
            Self::Push(Push::Summary(_) | Push::Report(_)) => 8 * BASE,
            _ => 0,
        }
    }

    /// Whether it may be dropped instead of cutting a slow reader.
    #[must_use]
    pub fn may_be_lost(&self) -> bool {
        matches!(
            self,
            Self::Ping
                | Self::Push(
                    Push::Typing { .. }
                        | Push::Seen { .. }
                        | Push::Position { .. }
                        | Push::Outages(_)
                )
        )
    }
}
