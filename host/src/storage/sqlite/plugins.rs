//! Components, generations, trust and secrets as rows.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query, query_scalar};

use super::{Sqlite, all, failed};
use crate::domain::ids::{GenerationId, Millis};
use crate::storage::columns::{signed, word};
use crate::storage::{Generation, Plugins, PublisherKey, RevocationList, Stored, rows};

#[async_trait]
impl Plugins for Sqlite {
    async fn add_generation(
        &self,
        generation: &Generation,
        component: &[u8],
        package: Option<&[u8]>,
    ) -> Stored<u32> {
        let mut transaction = self.begin().await?;
        query("INSERT INTO components (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(&generation.digest)
            .bind(component)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let point = word(&generation.point)?;
        let number: u32 = query_scalar(
            "INSERT INTO generation_numbers (point, last) VALUES (?, 1)
             ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
        )
        .bind(&point)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
        insert(&mut transaction, generation, (&point, number)).await?;
        if let Some(package) = package {
            query("INSERT INTO packages (generation, bytes) VALUES (?, ?)")
                .bind(signed(generation.id.get()))
                .bind(package)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
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

    async fn package(&self, id: GenerationId) -> Stored<Option<Vec<u8>>> {
        query_scalar("SELECT bytes FROM packages WHERE generation = ?")
            .bind(signed(id.get()))
            .fetch_optional(&self.readers)
            .await
            .map_err(failed)
    }

    async fn remove_generation(&self, id: GenerationId) -> Stored<bool> {
        let id = signed(id.get());
        let mut transaction = self.begin().await?;
        let idle = "SELECT digest FROM generations WHERE id = ? AND stage <> 'active'";
        let digest: Option<String> =
            query_scalar(idle).bind(id).fetch_optional(&mut *transaction).await.map_err(failed)?;
        let Some(digest) = digest else { return Ok(false) };
        for step in [
            "INSERT INTO removed_shipped SELECT name FROM generations
             WHERE id = ? AND origin = 'shipped' ON CONFLICT DO NOTHING",
            "DELETE FROM packages WHERE generation = ?",
            "DELETE FROM generations WHERE id = ?",
        ] {
            query(step).bind(id).execute(&mut *transaction).await.map_err(failed)?;
        }
        query(
            "DELETE FROM components WHERE digest = ?1
             AND NOT EXISTS (SELECT 1 FROM generations WHERE digest = ?1)",
        )
        .bind(digest)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(true)
    }

    async fn removed_shipped(&self) -> Stored<Vec<String>> {
        let names = query_scalar("SELECT name FROM removed_shipped ORDER BY name");
        names.fetch_all(&self.readers).await.map_err(failed)
    }

    async fn forget_removal(&self, name: &str) -> Stored<()> {
        let delete = query("DELETE FROM removed_shipped WHERE name = ?").bind(name);
        delete.execute(&self.writer).await.map_err(failed)?;
        Ok(())
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

    async fn trust_key(&self, key: &PublisherKey) -> Stored<()> {
        let insert = query(
            "INSERT INTO publisher_keys (key, publisher, added_at, added_by) VALUES (?, ?, ?, ?)",
        );
        insert
            .bind(&key.key)
            .bind(&key.publisher)
            .bind(signed(key.added_at))
            .bind(&key.added_by)
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn distrust_key(&self, key: &str) -> Stored<bool> {
        let delete = query("DELETE FROM publisher_keys WHERE key = ?").bind(key);
        Ok(delete.execute(&self.writer).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn publisher_keys(&self) -> Stored<Vec<PublisherKey>> {
        let rows = query("SELECT * FROM publisher_keys ORDER BY publisher, key");
        all(rows.fetch_all(&self.readers).await, rows::publisher_key)
    }

    async fn replace_revocations(&self, list: &RevocationList) -> Stored<bool> {
        let replace = query(
            "INSERT INTO revocations (publisher, serial, text, added_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (publisher) DO UPDATE SET
                 serial = excluded.serial, text = excluded.text, added_at = excluded.added_at
             WHERE excluded.serial > revocations.serial",
        );
        let replaced = replace
            .bind(&list.publisher)
            .bind(signed(list.serial))
            .bind(&list.text)
            .bind(signed(list.added_at))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(replaced.rows_affected() == 1)
    }

    async fn revocations(&self) -> Stored<Vec<RevocationList>> {
        let rows = query("SELECT * FROM revocations ORDER BY publisher");
        all(rows.fetch_all(&self.readers).await, rows::revocations)
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

async fn insert(
    connection: &mut SqliteConnection,
    generation: &Generation,
    (point, number): (&str, u32),
) -> Stored<()> {
    query(
        "INSERT INTO generations (id, number, point, name, plugin_version, origin, publisher,
             package, signer, digest, config, fuel, deadline_ms, memory_mb, stage, created_at,
             activated_at, created_by, fault)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(generation.id.get()))
    .bind(number)
    .bind(point)
    .bind(&generation.name)
    .bind(&generation.plugin_version)
    .bind(word(&generation.origin)?)
    .bind(&generation.publisher)
    .bind(&generation.package)
    .bind(&generation.signer)
    .bind(&generation.digest)
    .bind(&generation.config)
    .bind(signed(generation.fuel))
    .bind(generation.deadline_ms)
    .bind(generation.memory_mb)
    .bind(word(&generation.stage)?)
    .bind(signed(generation.created_at))
    .bind(generation.activated_at.map(signed))
    .bind(&generation.created_by)
    .bind(&generation.fault)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}
