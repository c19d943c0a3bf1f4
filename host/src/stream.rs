//! The stream: the durable, ordered, live log of events. First tier; an append here is *the*
//! durable point.
//!
//! Promises every adapter keeps (and `stream/contract.rs` checks):
//! - an `append` that returned survives the death of this process (and, embedded, of the machine);
//! - `seq` of a conversation is 1, 2, 3 … without holes, in the order the appends became durable;
//! - the same `(conversation, from, key)` is appended once: later appends return the first receipt,
//!   whatever the body;
//! - every tail sees every event after the moment it was opened, in `seq` order per conversation, or is told that it
//!   missed some; it may also see some from just before, and see one twice.
//!
//! It does not know conversations' states, permissions or filters: it stores what it is given.

mod embedded;
mod log;
mod older;
mod record;
mod redis;
mod signals;

#[cfg(test)]
mod contract;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{ClientKey, ConversationId, Millis, Seq};
use crate::domain::people::Party;
use crate::runtime::Clock;

pub use self::log::{BadPosition, Lease, Log, LogPosition, TrimError};
pub use self::redis::{Facts as RedisFacts, RedisConfig};
pub use self::signals::{Node, Signal, Signals, Topic};

/// What happens, as it happens. Bounded: a tail nobody reads holds the stream up, so readers must only move events on
/// and never wait for I/O in between.
pub type Tail = mpsc::Receiver<Told>;

/// One thing a tail tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Events as they became durable.
    Events(Arc<[Arc<Event>]>),
    /// Events were missed that this tail will not tell any more (the stream was out of reach for longer than its log
    /// goes back): whoever follows conversations reads them again from where it is. The embedded stream never says so.
    Missed,
}

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
    /// No room, and where. Nothing was kept; the same append may be tried later.
    #[error("the stream is full: {0}")]
    Full(String),
    /// Too many appends are waiting; try again later.
    #[error("the stream is overloaded")]
    Overloaded,
    /// It is *unknown* whether it was kept: try again with the same key.
    #[error("the stream is unavailable: {0}")]
    Unavailable(String),
}

/// What a stream that does not keep everything needs to know of what it has given away: asked of SQL, which has it. A
/// conversation that the stream does not know at all is whole there, or there is nothing of it.
#[async_trait]
pub trait Older: Send + Sync {
    /// Up to `limit` events with `seq > after`, in order.
    async fn events(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError>;

    /// The last `seq`, 0 for a conversation without events.
    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError>;

    /// Where and when the event with a sender's key is.
    async fn receipt(
        &self,
        conversation: ConversationId,
        from: Party,
        key: &ClientKey,
    ) -> Result<Option<(Seq, Millis)>, ReadError>;
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stream cannot be read: {0}")]
pub struct ReadError(pub String);

/// The seam.
#[async_trait]
pub trait Stream: Send + Sync {
    /// Makes an event durable, numbers it, and shows it to every tail. Once started it completes
    /// even when the returned future is dropped.
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

    /// Makes everything on the way to it ready that is made at the first use, and asks whether it answers. Keeps nothing
    /// that others would read.
    async fn warm(&self) -> Result<(), ReadError>;

    /// A new live tail.
    fn tail(&self) -> Tail;
}

/// Bounds of the embedded stream. At each of them something definite happens; nothing grows without
/// end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLimits {
    /// Appends that may wait for the writer; one more is [`AppendError::Overloaded`].
    pub queue: usize,
    /// Bytes of bodies that may wait for the writer; more is [`AppendError::Overloaded`].
    pub queue_bytes: usize,
    /// Most events in one commit.
    pub batch: usize,
    /// Most bytes of bodies in one commit (one larger event still gets a commit of its own).
    pub batch_bytes: usize,
    /// Conversations whose last `seq` and keys (16 each, on average) are kept in memory; another is read from the table with
    /// its next append.
    pub heads: usize,
    /// Reads at the same time; others wait.
    pub readers: usize,
    /// Batches a tail may be behind before the stream waits for it.
    pub tail: usize,
    /// Most bytes the file may have, rounded down to whole pages; then appends are
    /// [`AppendError::Full`].
    pub max_bytes: Option<u64>,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            queue: 8_192,
            queue_bytes: 32 << 20,
            batch: 512,
            batch_bytes: 128 << 10,
            heads: 65_536,
            readers: 4,
            tail: 256,
            max_bytes: None,
        }
    }
}

/// Why the stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another handle of this one, has it open.
    #[error("another process uses the stream in {0}")]
    InUse(String),
    /// A newer version of this program wrote it.
    #[error("a newer kefu wrote stream.db: it has format {found}, this one knows {known}")]
    Newer {
        /// Format of the file.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// Redis cannot be reached or cannot do.
    #[error("the stream in Redis cannot be opened: {0}")]
    Redis(String),
    /// The file or the folder cannot be used.
    #[error("the stream in {path} cannot be opened: {why}")]
    Unusable {
        /// Which folder.
        path: String,
        /// Why.
        why: String,
    },
}

/// Opens the embedded stream (`stream.db`) in `dir`, creating both when they are not there.
/// Dropping the last handle makes everything accepted durable before it returns.
///
/// # Errors
/// When the folder is in use, newer than this program, or unusable.
pub fn open(dir: &Path, clock: Clock, limits: StreamLimits) -> Result<Arc<dyn Stream>, OpenError> {
    Ok(Arc::new(embedded::Embedded::open(dir, clock, limits)?))
}

/// A stream that keeps only what is on its way to SQL, and the logs it is read from on that way.
pub struct Opened {
    /// The stream.
    pub stream: Arc<dyn Stream>,
    /// Its logs.
    pub log: Arc<dyn Log>,
    /// What the nodes that share it tell each other.
    pub signals: Arc<Signals>,
}

/// Opens the stream in Redis, or joins the nodes that have it open. Dropping both handles leaves the server; what was
/// accepted and is not answered yet is still tried.
///
/// # Errors
/// When the server cannot be reached, is too old, would throw events away, or has another number of partitions.
pub async fn open_redis(
    config: RedisConfig,
    older: Arc<dyn Older>,
    clock: Clock,
) -> Result<Opened, OpenError> {
    let (redis, signals) = self::redis::Redis::open(config, older, clock).await?;
    let redis = Arc::new(redis);
    Ok(Opened { stream: redis.clone(), log: redis, signals: Arc::new(signals) })
}
