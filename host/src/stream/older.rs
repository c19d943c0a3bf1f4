//! What a stream no longer holds, in PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Older, ReadError};
use crate::domain::event::Event;
use crate::domain::ids::{ClientKey, ConversationId, Millis, Seq};
use crate::domain::people::Party;
use crate::storage::{Archived, StorageError};

#[async_trait]
impl Older for Archived {
    async fn events(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        Self::events(self, conversation, after, limit).await.map_err(unread)
    }

    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError> {
        Self::head(self, conversation).await.map_err(unread)
    }

    async fn receipt(
        &self,
        conversation: ConversationId,
        from: Party,
        key: &ClientKey,
    ) -> Result<Option<(Seq, Millis)>, ReadError> {
        Self::receipt(self, conversation, from, key).await.map_err(unread)
    }
}

fn unread(error: StorageError) -> ReadError {
    ReadError(format!("what is in SQL cannot be read: {error}"))
}
