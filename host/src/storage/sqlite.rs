//! Storage in one SQLite file through sqlx: one connection that writes, a few that read.
//!
//! Every change runs in `BEGIN IMMEDIATE … COMMIT` on the one writing connection, so a
//! compare-and-set or a capacity check cannot be overtaken between its read and its write. Readers
//! never wait for it (WAL).

mod conversations;
mod files;
mod look;
mod people;
mod plugins;
mod warm;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite as Engine, Transaction};

use super::{StorageError, Stored};

pub(super) use look::look;

/// Connections that read at the same time; further reads wait.
const READERS: u32 = 4;
/// How long a call waits for a connection or for a lock.
const PATIENCE: Duration = Duration::from_secs(5);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite/storage");

/// The adapter.
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(dir: &Path) -> Stored<Self> {
        let unusable = |why: String| StorageError::Unavailable(format!("{}: {why}", dir.display()));
        std::fs::create_dir_all(dir).map_err(|e| unusable(e.to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(dir.join("kefu.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        // A full disk makes SQLite end a transaction that sqlx believes open: such a connection is
        // replaced.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options.clone())
            .await
            .map_err(|e| unusable(e.to_string()))?;
        MIGRATIONS.run(&writer).await.map_err(|error| unusable(migration(&error)))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
            .await
            .map_err(|e| unusable(e.to_string()))?;
        Ok(Self { writer, readers })
    }

    /// The right to write until it is committed or dropped (which takes everything back).
    async fn begin(&self) -> Stored<Transaction<'static, Engine>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)
    }
}

/// Why the tables cannot be brought up to date, and what to do.
fn migration(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(version) => {
            format!("kefu.db was written by a newer kefu (migration {version}): run that one")
        }
        error => format!("kefu.db cannot be brought up to date: {error}"),
    }
}

/// A database error as the decision a caller can take.
fn failed(error: sqlx::Error) -> StorageError {
    const SQLITE_FULL: i32 = 13;
    let Some(database) = error.as_database_error() else {
        return StorageError::Unavailable(error.to_string());
    };
    let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
    if code & 0xff == SQLITE_FULL {
        return StorageError::Full;
    }
    if database.is_unique_violation() {
        return StorageError::Taken(taken(database.message()));
    }
    StorageError::Unavailable(error.to_string())
}

/// Reads every row with the same reader.
fn all<T>(
    rows: Result<Vec<SqliteRow>, sqlx::Error>,
    read: impl Fn(&SqliteRow) -> Stored<T>,
) -> Stored<Vec<T>> {
    rows.map_err(failed)?.iter().map(read).collect()
}

/// Reads a row that may be missing.
fn one<T>(
    row: Result<Option<SqliteRow>, sqlx::Error>,
    read: impl Fn(&SqliteRow) -> Stored<T>,
) -> Stored<Option<T>> {
    row.map_err(failed)?.as_ref().map(read).transpose()
}

/// What a `UNIQUE constraint failed: table.column` is about, in people's words.
fn taken(message: &str) -> &'static str {
    const NAMES: [(&str, &str); 3] =
        [("agents.login", "login"), ("teams.name", "team name"), ("sites.key", "site key")];
    NAMES.iter().find(|(column, _)| message.contains(column)).map_or("id", |(_, name)| name)
}
