//! Conversations: what people do to a conversation, from the check to the durable event.
//!
//! `check` (all that can fail because of the person) → filter → `stream.append` for messages; for
//! changes of state
//! `domain::conversation::apply` → compare-and-set in storage with pending events → append →
//! settled. Who answers is not decided here: `routing` sees the `queued` and `closed` events on the
//! stream's tail.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use crate::domain::event::TransferTarget;
use crate::domain::ids::{ClientKey, FileId};
use crate::domain::refusal::Refusal;
use crate::files::Files;
use crate::plugins::Plugins;
use crate::presence::Presence;
use crate::runtime::Clock;
use crate::sessions::Sessions;
use crate::storage::{self, StorageError};
use crate::stream::{AppendError, Receipt, Stream};

mod ask;
mod change;
mod elsewhere;
mod files;
mod members;
mod open;
mod status;
mod view;

pub use files::{FileLimits, Upload};

/// What the service is made of.
pub struct Parts {
    /// Rows.
    pub storage: storage::Handle,
    /// Events.
    pub stream: Arc<dyn Stream>,
    /// The filter.
    pub plugins: Arc<Plugins>,
    /// Where changes are shown.
    pub sessions: Arc<Sessions>,
    /// Which agents are there.
    pub presence: Arc<Presence>,
    /// The time.
    pub clock: Clock,
    /// Bytes of files.
    pub files: Arc<Files>,
    /// Bounds.
    pub limits: Limits,
    /// Bounds of files.
    pub file_limits: FileLimits,
    /// How old a change is whose events nobody is appending any more; zero where this is the only node.
    pub settle_after: Duration,
}

/// The service.
pub struct Conversations {
    /// Itself, for the tasks that must finish a change even when its asker is gone.
    me: Weak<Self>,
    parts: Parts,
    /// What is remembered so that a message costs no SQL.
    known: members::Known,
    /// Room for uploads.
    uploads: Arc<Semaphore>,
    /// Something changed that routing wants to look at.
    wake: Notify,
    /// When a change was last stored whose events could not be appended, ms; 0: all of them are.
    unsettled: AtomicU64,
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
        /// A file uploaded before; the text may then be empty.
        file: Option<FileId>,
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
    /// The service, with nothing remembered.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            parts,
            known: members::Known::new(),
            uploads: Arc::new(Semaphore::new(files::AT_ONCE)),
            wake: Notify::new(),
            unsettled: AtomicU64::new(0),
        })
    }

    /// Tells routing to look at the queue again: an agent's status, capacity, team or skills
    /// changed.
    pub fn wake_routing(&self) {
        self.wake.notify_one();
    }

    /// Returns after the next (or an unseen former) [`Self::wake_routing`]. One waiter: routing.
    pub async fn routing_woken(&self) {
        self.wake.notified().await;
    }

    /// Bounds that clients are told.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.parts.limits
    }
}

/// What an outage of storage is to the one who asked. Logged here, where it is handled.
fn stored(error: StorageError) -> Refusal {
    tracing::warn!(%error, "storage did not answer a request");
    match error {
        StorageError::Taken(_) => Refusal::Conflict("it is already taken"),
        StorageError::Full => disk_full(),
        _ => Refusal::Unavailable { reason: "storage", retry_after_ms: 1000 },
    }
}

/// What a failed append is to the one who asked.
fn appended(error: AppendError) -> Refusal {
    tracing::warn!(%error, "the stream did not take an event");
    match error {
        AppendError::Full(_) => disk_full(),
        AppendError::Overloaded => {
            Refusal::Unavailable { reason: "overloaded", retry_after_ms: 500 }
        }
        AppendError::Unavailable(_) => unavailable(),
    }
}

fn disk_full() -> Refusal {
    Refusal::Unavailable { reason: "disk full", retry_after_ms: 5000 }
}

fn unavailable() -> Refusal {
    Refusal::Unavailable { reason: "the stream", retry_after_ms: 1000 }
}

#[cfg(test)]
pub(crate) mod tests;
