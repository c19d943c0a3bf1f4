//! `kefu journal republish`: what SQL has since some time, to the topic once more. Copies without a stamp: whoever reads
//! by docs/JOURNAL.md passes over those it has, and kefu itself over all of them. It takes no lease and needs no server.

use std::sync::Arc;
use std::time::Duration;

use super::past::Past;
use crate::domain::ids::Millis;
use crate::domain::partition;
use crate::journal::{Journal, JournalError, SendError};
use crate::storage::{Archived, StorageError};

/// How long the topic may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why it ended early. What was sent is sent; doing it again does no harm.
#[derive(Debug, thiserror::Error)]
pub enum RepublishError {
    /// The topic cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// SQL does not answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Kafka takes nothing more.
    #[error("after {sent} events: {why}")]
    Stopped {
        /// Handed over before.
        sent: u64,
        /// Why.
        why: String,
    },
}

/// Sends events with `since <= at <= until`; how many it were. `tell` hears of each page.
///
/// # Errors
/// See [`RepublishError`].
pub async fn republish(
    archived: Archived,
    journal: &Arc<Journal>,
    (since, until): (Millis, Millis),
    mut tell: impl FnMut(u64),
) -> Result<u64, RepublishError> {
    journal.prepare().await?;
    let (mut past, mut sent) = (Past::new(archived, since, until), 0);
    while let Some(page) = past.next().await? {
        for event in &page {
            let partition = partition::of(event.conversation, journal.partitions());
            while let Err(error) = journal.republish(partition, event) {
                let waited = error == SendError::Full && journal.flush(PATIENCE).await;
                if !waited {
                    return Err(RepublishError::Stopped { sent, why: error.to_string() });
                }
            }
            sent += 1;
        }
        tell(sent);
    }
    match journal.flush(PATIENCE).await {
        true => Ok(sent),
        false => Err(RepublishError::Stopped { sent, why: "Kafka does not take them".into() }),
    }
}
