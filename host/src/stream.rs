//! The stream: the durable, ordered, live log of events. First tier; an append here is *the* durable point.
//!
//! Promises every adapter keeps (and `stream/contract.rs` checks):
//! - an `append` that returned survives the death of this process (and, embedded, of the machine);
//! - `seq` of a conversation is 1, 2, 3 … without holes, in the order the appends became durable;
//! - the same `(conversation, from, key)` is appended once: later appends return the first receipt, whatever the body;
//! - every tail sees every event after the moment it was opened, in `seq` order per conversation.
//!
//! It does not know conversations' states, permissions or filters: it stores what it is given.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{ConversationId, Millis, Seq};

/// Events as they became durable, batch by batch. Bounded: a tail nobody reads holds the stream up, so readers must
/// only move events on and never wait for I/O in between.
pub type Tail = mpsc::Receiver<Arc<[Arc<Event>]>>;

/// Proof that an event is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number.
    pub seq: Seq,
    /// When it became durable.
    pub at: Millis,
    /// The key had been seen: this is the receipt of the first append.
    pub duplicate: bool,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No room on the disk. Nothing was kept; the same append may be tried later.
    #[error("the disk that holds the stream is full")]
    Full,
    /// Too many appends are waiting; try again later.
    #[error("the stream is overloaded")]
    Overloaded,
    /// It is *unknown* whether it was kept: try again with the same key.
    #[error("the stream is unavailable: {0}")]
    Unavailable(String),
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stream cannot be read: {0}")]
pub struct ReadError(pub String);

/// The seam.
#[async_trait]
pub trait Stream: Send + Sync {
    /// Makes an event durable, numbers it, and shows it to every tail. Once started it completes even when the
    /// returned future is dropped.
    async fn append(&self, event: NewEvent) -> Result<Receipt, AppendError>;

    /// Up to `limit` events with `seq > after`, in order.
    async fn read(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError>;

    /// The last `seq`, 0 for a conversation without events.
    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError>;

    /// A new live tail.
    fn tail(&self) -> Tail;
}
