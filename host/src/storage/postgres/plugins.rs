//! Components, generations and secrets as rows.

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{query, query_scalar};

use super::{Postgres, failed, plain, plain_or_null};
use crate::domain::ids::{GenerationId, Millis};
use crate::storage::columns::{Columns, signed, word};
use crate::storage::{Generation, Plugins, Stored, rows};

#[async_trait]
impl Plugins for Postgres {
    async fn add_generation(&self, generation: &Generation, component: &[u8]) -> Stored<u32> {
        self.within(async {
            let mut transaction = self.begin().await?;
            let point = word(&generation.point)?;
            // Two nodes that install for one point take turns, or both would choose the same number.
            lock_point(&mut transaction, &point).await?;
            query("INSERT INTO components (digest, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(&generation.digest)
                .bind(component)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            let number: i64 = query_scalar(
                "SELECT coalesce(max(number), 0) + 1 FROM generations WHERE point = $1",
            )
            .bind(&point)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed)?;
            insert(&mut transaction, generation, (&point, number)).await?;
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

/// Until the transaction ends nobody else numbers or activates generations of this point.
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
        "INSERT INTO generations (id, number, point, name, plugin_version, digest, config,
             fuel, deadline_ms, stage, created_at, activated_at, created_by, fault)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(signed(generation.id.get()))
    .bind(number)
    .bind(point)
    .bind(plain(&generation.name))
    .bind(plain(&generation.plugin_version))
    .bind(&generation.digest)
    .bind(plain(&generation.config))
    .bind(signed(generation.fuel))
    .bind(i64::from(generation.deadline_ms))
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
