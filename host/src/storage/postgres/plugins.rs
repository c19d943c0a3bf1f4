//! Components, generations, trust and secrets as rows.

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{query, query_scalar};

use super::{Postgres, failed, plain, plain_or_null};
use crate::domain::ids::{GenerationId, Millis};
use crate::storage::columns::{Columns, signed, word};
use crate::storage::{Generation, Plugins, PublisherKey, RevocationList, Stored, rows};

#[async_trait]
impl Plugins for Postgres {
    async fn add_generation(
        &self,
        generation: &Generation,
        component: &[u8],
        package: Option<&[u8]>,
    ) -> Stored<u32> {
        self.within(async {
            let mut transaction = self.begin().await?;
            let point = word(&generation.point)?;
            query("INSERT INTO components (digest, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(&generation.digest)
                .bind(component)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            // Two nodes that install for one point take turns: each locks the point's row.
            let number: i64 = query_scalar(
                "INSERT INTO generation_numbers (point, last) VALUES ($1, 1)
                 ON CONFLICT (point) DO UPDATE SET last = generation_numbers.last + 1
                 RETURNING last",
            )
            .bind(&point)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
            insert(&mut transaction, generation, (&point, number)).await?;
            if let Some(package) = package {
                query("INSERT INTO packages (generation, bytes) VALUES ($1, $2)")
                    .bind(signed(generation.id.get()))
                    .bind(package)
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
            }
            transaction.commit().await.map_err(failed)?;
            Ok(u32::try_from(number).unwrap_or(u32::MAX))
        })
        .await
    }

    async fn generations(&self) -> Stored<Vec<Generation>> {
        let all = query("SELECT * FROM generations ORDER BY created_at DESC, number DESC, id");
        self.all(all, rows::generation).await
    }

    async fn component(&self, id: GenerationId) -> Stored<Option<Vec<u8>>> {
        let found = query(
            "SELECT bytes FROM components JOIN generations USING (digest)
             WHERE generations.id = $1",
        );
        self.one(found.bind(signed(id.get())), |row| Columns::new("component", row).bytes("bytes"))
            .await
    }

    async fn package(&self, id: GenerationId) -> Stored<Option<Vec<u8>>> {
        let found = query("SELECT bytes FROM packages WHERE generation = $1");
        self.one(found.bind(signed(id.get())), |row| Columns::new("package", row).bytes("bytes"))
            .await
    }

    async fn remove_generation(&self, id: GenerationId) -> Stored<bool> {
        let id = signed(id.get());
        self.within(async {
            let mut transaction = self.begin().await?;
            let idle = "SELECT digest FROM generations WHERE id = $1 AND stage <> 'active'
                 FOR UPDATE";
            let digest: Option<String> = query_scalar(idle)
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
            let Some(digest) = digest else { return Ok(false) };
            for step in [
                "INSERT INTO removed_shipped SELECT name FROM generations
                 WHERE id = $1 AND origin = 'shipped' ON CONFLICT DO NOTHING",
                "DELETE FROM packages WHERE generation = $1",
                "DELETE FROM generations WHERE id = $1",
            ] {
                query(step).bind(id).execute(&mut *transaction).await.map_err(failed)?;
            }
            query(
                "DELETE FROM components WHERE digest = $1
                 AND NOT EXISTS (SELECT 1 FROM generations WHERE digest = $1)",
            )
            .bind(digest)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok(true)
        })
        .await
    }

    async fn removed_shipped(&self) -> Stored<Vec<String>> {
        let names = query("SELECT name FROM removed_shipped ORDER BY name");
        self.all(names, |row| Columns::new("removed plugin", row).text("name")).await
    }

    async fn forget_removal(&self, name: &str) -> Stored<()> {
        let delete = query("DELETE FROM removed_shipped WHERE name = $1").bind(plain(name));
        self.run(delete).await.map(drop)
    }

    async fn activate(&self, id: GenerationId, now: Millis) -> Stored<bool> {
        let id = signed(id.get());
        self.within(async {
            let mut transaction = self.begin().await?;
            let point: Option<String> = query_scalar("SELECT point FROM generations WHERE id = $1")
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
            let Some(point) = point else { return Ok(false) };
            lock_point(&mut transaction, &point).await?;
            query(
                "UPDATE generations SET stage = 'retired'
                 WHERE stage = 'active' AND id <> $1 AND point = $2",
            )
            .bind(id)
            .bind(point)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            query(
                "UPDATE generations SET stage = 'active', activated_at = $1, fault = NULL
                 WHERE id = $2",
            )
            .bind(signed(now))
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok(true)
        })
        .await
    }

    async fn quarantine(&self, id: GenerationId, reason: &str) -> Stored<bool> {
        let update = query(
            "UPDATE generations SET stage = 'quarantined', fault = $1
             WHERE id = $2 AND stage = 'active'",
        )
        .bind(plain(reason))
        .bind(signed(id.get()));
        Ok(self.run(update).await? == 1)
    }

    async fn trust_key(&self, key: &PublisherKey) -> Stored<()> {
        let insert = query(
            "INSERT INTO publisher_keys (key, publisher, added_at, added_by)
             VALUES ($1, $2, $3, $4)",
        );
        let insert = insert.bind(&key.key).bind(&key.publisher).bind(signed(key.added_at));
        self.run(insert.bind(plain(&key.added_by))).await.map(drop)
    }

    async fn distrust_key(&self, key: &str) -> Stored<bool> {
        let delete = query("DELETE FROM publisher_keys WHERE key = $1").bind(plain(key));
        Ok(self.run(delete).await? == 1)
    }

    async fn publisher_keys(&self) -> Stored<Vec<PublisherKey>> {
        let all = query("SELECT * FROM publisher_keys ORDER BY publisher, key");
        self.all(all, rows::publisher_key).await
    }

    async fn replace_revocations(&self, list: &RevocationList) -> Stored<bool> {
        let replace = query(
            "INSERT INTO revocations (publisher, serial, text, added_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (publisher) DO UPDATE SET
                 serial = excluded.serial, text = excluded.text, added_at = excluded.added_at
             WHERE excluded.serial > revocations.serial",
        );
        let replace = replace.bind(&list.publisher).bind(signed(list.serial));
        Ok(self.run(replace.bind(&list.text).bind(signed(list.added_at))).await? == 1)
    }

    async fn revocations(&self) -> Stored<Vec<RevocationList>> {
        let all = query("SELECT * FROM revocations ORDER BY publisher");
        self.all(all, rows::revocations).await
    }

    async fn secret(&self, name: &str, fresh: [u8; 32]) -> Stored<[u8; 32]> {
        let insert =
            query("INSERT INTO secrets (name, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(name)
                .bind(fresh.as_slice());
        self.run(insert).await?;
        let found = query("SELECT bytes FROM secrets WHERE name = $1").bind(name);
        let kept = self.one(found, |row| Columns::new("secret", row).bytes("bytes")).await?;
        rows::secret(name, kept.unwrap_or_default())
    }
}

/// Until the transaction ends nobody else activates generations of this point.
async fn lock_point(connection: &mut PgConnection, point: &str) -> Stored<()> {
    query("SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.generations.' || $1))")
        .bind(point)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    generation: &Generation,
    (point, number): (&str, i64),
) -> Stored<()> {
    query(
        "INSERT INTO generations (id, number, point, name, plugin_version, origin, publisher,
             package, signer, digest, config, fuel, deadline_ms, memory_mb, stage, created_at,
             activated_at, created_by, fault)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19)",
    )
    .bind(signed(generation.id.get()))
    .bind(number)
    .bind(point)
    .bind(plain(&generation.name))
    .bind(plain(&generation.plugin_version))
    .bind(word(&generation.origin)?)
    .bind(&generation.publisher)
    .bind(&generation.package)
    .bind(&generation.signer)
    .bind(&generation.digest)
    .bind(plain(&generation.config))
    .bind(signed(generation.fuel))
    .bind(i64::from(generation.deadline_ms))
    .bind(i64::from(generation.memory_mb))
    .bind(word(&generation.stage)?)
    .bind(signed(generation.created_at))
    .bind(generation.activated_at.map(signed))
    .bind(plain(&generation.created_by))
    .bind(plain_or_null(&generation.fault))
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}
