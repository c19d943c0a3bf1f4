//! Components, generations and secrets as rows.

use async_trait::async_trait;
use sqlx::{query, query_scalar};

use super::{Sqlite, all, failed};
use crate::domain::ids::{GenerationId, Millis};
use crate::storage::columns::{signed, word};
use crate::storage::{Generation, Plugins, Stored, rows};

#[async_trait]
impl Plugins for Sqlite {
    async fn add_generation(&self, generation: &Generation, component: &[u8]) -> Stored<u32> {
        let mut transaction = self.begin().await?;
        query("INSERT INTO components (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(&generation.digest)
            .bind(component)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let point = word(&generation.point)?;
        let number: u32 =
            query_scalar("SELECT coalesce(max(number), 0) + 1 FROM generations WHERE point = ?")
                .bind(&point)
                .fetch_one(&mut *transaction)
                .await
                .map_err(failed)?;
        query(
            "INSERT INTO generations (id, number, point, name, plugin_version, digest, config,
                 fuel, deadline_ms, stage, created_at, activated_at, created_by, fault)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(signed(generation.id.get()))
        .bind(number)
        .bind(point)
        .bind(&generation.name)
        .bind(&generation.plugin_version)
        .bind(&generation.digest)
        .bind(&generation.config)
        .bind(signed(generation.fuel))
        .bind(generation.deadline_ms)
        .bind(word(&generation.stage)?)
        .bind(signed(generation.created_at))
        .bind(generation.activated_at.map(signed))
        .bind(&generation.created_by)
        .bind(&generation.fault)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(number)
    }

    async fn generations(&self) -> Stored<Vec<Generation>> {
        let rows = query("SELECT * FROM generations ORDER BY created_at DESC, number DESC, id");
        all(rows.fetch_all(&self.readers).await, rows::generation)
    }

    async fn component(&self, id: GenerationId) -> Stored<Option<Vec<u8>>> {
        query_scalar(
            "SELECT bytes FROM components JOIN generations USING (digest) WHERE generations.id = ?",
        )
        .bind(signed(id.get()))
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)
    }

    async fn activate(&self, id: GenerationId, now: Millis) -> Stored<bool> {
        let id = signed(id.get());
        let mut transaction = self.begin().await?;
        query(
            "UPDATE generations SET stage = 'retired' WHERE stage = 'active' AND id <> ?1
             AND point = (SELECT point FROM generations WHERE id = ?1)",
        )
        .bind(id)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        let found = query(
            "UPDATE generations SET stage = 'active', activated_at = ?, fault = NULL WHERE id = ?",
        )
        .bind(signed(now))
        .bind(id)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?
        .rows_affected();
        transaction.commit().await.map_err(failed)?;
        Ok(found == 1)
    }

    async fn quarantine(&self, id: GenerationId, reason: &str) -> Stored<bool> {
        let update = query(
            "UPDATE generations SET stage = 'quarantined', fault = ?
             WHERE id = ? AND stage = 'active'",
        )
        .bind(reason)
        .bind(signed(id.get()));
        Ok(update.execute(&self.writer).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn secret(&self, name: &str, fresh: [u8; 32]) -> Stored<[u8; 32]> {
        let mut transaction = self.begin().await?;
        query("INSERT INTO secrets (name, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(fresh.as_slice())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let bytes: Vec<u8> = query_scalar("SELECT bytes FROM secrets WHERE name = ?")
            .bind(name)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        rows::secret(name, bytes)
    }
}
