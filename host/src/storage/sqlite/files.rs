//! Files' rows. Their bytes are not here.

use async_trait::async_trait;
use sqlx::{query, query_scalar};

use super::{Sqlite, all, failed, one};
use crate::domain::file::StoredFile;
use crate::domain::ids::{ClientKey, ConversationId, FileId, Millis};
use crate::storage::columns::{json, signed};
use crate::storage::{Files, Stored, rows};

#[async_trait]
impl Files for Sqlite {
    async fn add_file(&self, file: &StoredFile) -> Stored<()> {
        let shown = &file.shown;
        query(
            "INSERT INTO files (id, conversation, sender, name, type, size, width, height, url,
                 sha256, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(signed(shown.id.get()))
        .bind(signed(file.conversation.get()))
        .bind(json(&file.sender)?)
        .bind(&shown.name)
        .bind(&shown.kind)
        .bind(signed(shown.size))
        .bind(shown.width)
        .bind(shown.height)
        .bind(&shown.url)
        .bind(&file.sha256)
        .bind(signed(file.created_at))
        .execute(&self.writer)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn file(&self, id: FileId) -> Stored<Option<StoredFile>> {
        let found = query("SELECT * FROM files WHERE id = ? AND NOT doomed").bind(signed(id.get()));
        one(found.fetch_optional(&self.readers).await, rows::file)
    }

    async fn file_at(&self, url: &str) -> Stored<Option<StoredFile>> {
        let found = query("SELECT * FROM files WHERE url = ? AND NOT doomed").bind(url);
        one(found.fetch_optional(&self.readers).await, rows::file)
    }

    async fn files_of(&self, conversation: ConversationId) -> Stored<u64> {
        let count = query_scalar("SELECT count(*) FROM files WHERE conversation = ?")
            .bind(signed(conversation.get()));
        let count: i64 = count.fetch_one(&self.readers).await.map_err(failed)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn use_file(&self, id: FileId, key: &ClientKey, name: &str) -> Stored<bool> {
        let update = query(
            "UPDATE files SET used_by = ?1, name = ?2
             WHERE id = ?3 AND NOT doomed AND coalesce(used_by, ?1) = ?1",
        )
        .bind(key.as_str())
        .bind(name)
        .bind(signed(id.get()));
        Ok(update.execute(&self.writer).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn doom_unused_files(&self, before: Millis, limit: u32) -> Stored<Vec<FileId>> {
        let update = query(
            "UPDATE files SET doomed = 1 WHERE id IN
                 (SELECT id FROM files WHERE used_by IS NULL AND created_at < ?
                  ORDER BY created_at LIMIT ?)
             RETURNING id",
        )
        .bind(signed(before))
        .bind(limit);
        all(update.fetch_all(&self.writer).await, rows::file_id)
    }

    async fn forget_file(&self, id: FileId) -> Stored<()> {
        query("DELETE FROM files WHERE id = ? AND used_by IS NULL")
            .bind(signed(id.get()))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }
}
