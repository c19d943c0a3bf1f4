//! Files' rows. Their bytes are not here.

use async_trait::async_trait;
use sqlx::query;

use super::{Postgres, plain};
use crate::domain::file::StoredFile;
use crate::domain::ids::{ClientKey, ConversationId, FileId, Millis};
use crate::storage::columns::{Columns, json, signed};
use crate::storage::{Files, Stored, rows};

#[async_trait]
impl Files for Postgres {
    async fn add_file(&self, file: &StoredFile) -> Stored<()> {
        let shown = &file.shown;
        let insert = query(
            "INSERT INTO files (id, conversation, sender, name, type, size, width, height, url,
                 sha256, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(signed(shown.id.get()))
        .bind(signed(file.conversation.get()))
        .bind(json(&file.sender)?)
        .bind(plain(&shown.name))
        .bind(plain(&shown.kind))
        .bind(signed(shown.size))
        .bind(shown.width.map(i64::from))
        .bind(shown.height.map(i64::from))
        .bind(plain(&shown.url))
        .bind(&file.sha256)
        .bind(signed(file.created_at));
        self.run(insert).await.map(drop)
    }

    async fn file(&self, id: FileId) -> Stored<Option<StoredFile>> {
        let found = query("SELECT * FROM files WHERE id = $1 AND NOT doomed");
        self.one(found.bind(signed(id.get())), rows::file).await
    }

    async fn file_at(&self, url: &str) -> Stored<Option<StoredFile>> {
        let found = query("SELECT * FROM files WHERE url = $1 AND NOT doomed").bind(plain(url));
        self.one(found, rows::file).await
    }

    async fn files_of(&self, conversation: ConversationId) -> Stored<u64> {
        let count = query("SELECT count(*) AS files FROM files WHERE conversation = $1")
            .bind(signed(conversation.get()));
        let count = self.one(count, |row| Columns::new("file", row).number("files")).await?;
        Ok(count.unwrap_or(0))
    }

    async fn use_file(&self, id: FileId, key: &ClientKey, name: &str) -> Stored<bool> {
        let update = query(
            "UPDATE files SET used_by = $1, name = $2
             WHERE id = $3 AND NOT doomed AND coalesce(used_by, $1) = $1",
        )
        .bind(key.as_str())
        .bind(plain(name))
        .bind(signed(id.get()));
        Ok(self.run(update).await? == 1)
    }

    async fn doom_unused_files(&self, before: Millis, limit: u32) -> Stored<Vec<FileId>> {
        // A row that another node takes or dooms at this moment is left to it.
        let update = query(
            "UPDATE files SET doomed = true WHERE id IN
                 (SELECT id FROM files WHERE used_by IS NULL AND created_at < $1
                  ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
             RETURNING id",
        )
        .bind(signed(before))
        .bind(i64::from(limit));
        self.all(update, rows::file_id).await
    }

    async fn forget_file(&self, id: FileId) -> Stored<()> {
        let delete = query("DELETE FROM files WHERE id = $1 AND used_by IS NULL");
        self.run(delete.bind(signed(id.get()))).await.map(drop)
    }
}
