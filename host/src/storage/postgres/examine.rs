//! What `kefu doctor` wants to know of a PostgreSQL: asked on a connection of its own, changing nothing.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, query, query_scalar};

use super::{MIGRATIONS, connect, failed, options, timed};
use crate::domain::ids::Millis;
use crate::storage::columns::Columns;
use crate::storage::{Kept, PostgresConfig, StorageError, Stored, rows};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// `15.14 (Debian …)`.
    pub version: String,
    /// One round trip.
    pub ping: Duration,
    /// `on`: a commit survives power loss.
    pub fsync: String,
    /// `on` and stricter: a commit is on disk when it returns.
    pub synchronous_commit: String,
    /// Its clock in the middle of the question.
    pub clock: Millis,
    /// How long the question for the clock took.
    pub clock_within: Duration,
    /// Migrations applied, and known to this program.
    pub migrations: (usize, usize),
    /// Events kept aside because another has their number; `None` before the tables are made.
    pub conflicts: Option<u64>,
    /// Connections it takes, and how many are taken.
    pub connections: (u64, u64),
}

/// Asks.
///
/// # Errors
/// When it does not answer, or not such a question.
pub async fn examine(config: &PostgresConfig) -> Stored<Examined> {
    in_time(config, ask(config)).await
}

/// What is in its tables.
pub(in crate::storage) async fn look(config: &PostgresConfig) -> Stored<Kept> {
    in_time(config, kept(config)).await
}

async fn kept(config: &PostgresConfig) -> Stored<Kept> {
    let options = timed(options(config)?, config);
    let mut connection = connect(config, &options).await?;
    let (applied, known) = migrations(&mut connection).await?;
    if applied == 0 {
        return Ok(Kept::Nothing);
    }
    if applied != known {
        return Ok(Kept::Other { applied, known });
    }
    let found = query("SELECT * FROM generations ORDER BY created_at DESC, number DESC, id")
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?;
    let generations = found.iter().map(rows::generation).collect::<Stored<Vec<_>>>()?;
    Ok(Kept::Readable(generations))
}

async fn in_time<T>(config: &PostgresConfig, answer: impl Future<Output = Stored<T>>) -> Stored<T> {
    let patience = config.acquire_timeout + config.statement_timeout;
    let late = |_| Err(StorageError::Unavailable("PostgreSQL does not answer".into()));
    tokio::time::timeout(patience, answer).await.unwrap_or_else(late)
}

async fn ask(config: &PostgresConfig) -> Stored<Examined> {
    let options = timed(options(config)?, config);
    let mut connection = connect(config, &options).await?;
    let begun = Instant::now();
    connection.ping().await.map_err(failed)?;
    let ping = begun.elapsed();
    let begun = Instant::now();
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let clock: i64 = query_scalar(sql).fetch_one(&mut connection).await.map_err(failed)?;
    let clock_within = begun.elapsed();
    let row = query(
        "SELECT current_setting('server_version') AS version,
             current_setting('fsync') AS fsync,
             current_setting('synchronous_commit') AS synchronous_commit,
             current_setting('max_connections')::bigint AS most,
             (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(failed)?;
    let columns = Columns::new("setting", &row);
    let migrations = migrations(&mut connection).await?;
    let conflicts: Option<i64> = match is_made(&mut connection, "event_conflicts").await? {
        true => query_scalar("SELECT count(*) FROM event_conflicts")
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?,
        false => None,
    };
    Ok(Examined {
        version: columns.text("version")?,
        ping,
        fsync: columns.text("fsync")?,
        synchronous_commit: columns.text("synchronous_commit")?,
        clock: u64::try_from(clock).unwrap_or(0),
        clock_within,
        migrations,
        conflicts: conflicts.map(i64::cast_unsigned),
        connections: (columns.number("most")?, columns.number("taken")?),
    })
}

/// How many are applied, and known to this program.
async fn migrations(connection: &mut PgConnection) -> Stored<(usize, usize)> {
    let applied: i64 = match is_made(connection, "_sqlx_migrations").await? {
        true => query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
            .fetch_one(connection)
            .await
            .map_err(failed)?,
        false => 0,
    };
    Ok((usize::try_from(applied).unwrap_or(0), MIGRATIONS.iter().count()))
}

async fn is_made(connection: &mut PgConnection, table: &str) -> Stored<bool> {
    let sql = "SELECT to_regclass($1) IS NOT NULL";
    query_scalar(sql).bind(table).fetch_one(connection).await.map_err(failed)
}
