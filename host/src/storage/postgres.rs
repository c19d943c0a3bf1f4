//! Storage in PostgreSQL (15 or newer) through sqlx, for one node or many.
//!
//! Nobody waits without end, neither for a connection (`acquire_timeout`) nor for an answer: the server gives a statement
//! up (`statement_timeout`, `lock_timeout`), and where the server or the way to it is silent, so does this side. What
//! was given up is [`StorageError::Unavailable`]: it may have been done or not, as after a crash.
//!
//! Every connection is tried before it is lent and after it came back, so that a restarted server costs nobody an error.
//! sqlx 0.9.0 does not set `TCP_NODELAY` (mended there, not released); what that costs a large batch over TLS is not measured.

mod conversations;
mod events;
mod examine;
mod files;
mod people;
mod plugins;
mod warm;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow, Postgres as Engine,
};
use sqlx::query::Query;
use sqlx::{ConnectOptions as _, Connection as _, Transaction, query};

use super::{PostgresConfig, StorageError, Stored};

pub(super) use events::span;
pub use events::{Archived, Source, Written};
pub(super) use examine::look;
pub use examine::{Examined, examine};

/// The oldest server with everything that is used here.
const OLDEST: u32 = 150_000;
/// How long bringing the tables up to date may take, another node's turn included.
const MIGRATION: Duration = Duration::from_secs(120);
/// How long a connection that came back may take to prove itself.
const PROOF: Duration = Duration::from_secs(2);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// The adapter.
#[derive(Clone)]
pub(super) struct Postgres {
    pool: PgPool,
    /// For one call, all its statements together.
    patience: Duration,
}

impl Postgres {
    /// Brings the tables up to date and opens the pool.
    pub(super) async fn open(config: &PostgresConfig) -> Stored<Self> {
        let options = options(config)?;
        let ready = tokio::time::timeout(MIGRATION, prepare(config, &options));
        ready.await.map_err(|_| StorageError::Unavailable("migrations take too long".into()))??;
        let pool = PgPoolOptions::new()
            .max_connections(config.connections)
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(true)
            .after_release(|connection, _| {
                // sqlx itself would wait for ever here when the way to the server is cut.
                Box::pin(async move {
                    let proof = tokio::time::timeout(PROOF, connection.ping()).await;
                    Ok(matches!(proof, Ok(Ok(()))))
                })
            })
            .connect_lazy_with(timed(options, config));
        let opened = Self { pool, patience: config.acquire_timeout + config.statement_timeout };
        let unfinished = query("SELECT source FROM copies WHERE finished_at IS NULL LIMIT 1");
        if opened.run(unfinished).await? > 0 {
            let why = "a copy into this database is not finished: run `kefu migrate copy` again";
            return Err(StorageError::Unavailable(why.into()));
        }
        Ok(opened)
    }

    /// Waits for `work` no longer than a call may take.
    async fn within<T>(&self, work: impl Future<Output = Stored<T>>) -> Stored<T> {
        tokio::time::timeout(self.patience, work).await.unwrap_or_else(|_| {
            let seconds = self.patience.as_secs_f64();
            Err(StorageError::Unavailable(format!("PostgreSQL did not answer within {seconds} s")))
        })
    }

    /// A transaction; dropped, it is taken back.
    async fn begin(&self) -> Stored<Transaction<'static, Engine>> {
        self.pool.begin().await.map_err(failed)
    }

    /// Runs a statement; the number of rows it touched.
    async fn run(&self, statement: Query<'_, Engine, PgArguments>) -> Stored<u64> {
        let run = async { statement.execute(&self.pool).await.map_err(failed) };
        Ok(self.within(run).await?.rows_affected())
    }

    /// Reads every row with the same reader.
    async fn all<T>(
        &self,
        statement: Query<'_, Engine, PgArguments>,
        read: impl Fn(&PgRow) -> Stored<T>,
    ) -> Stored<Vec<T>> {
        let rows = async { statement.fetch_all(&self.pool).await.map_err(failed) };
        self.within(rows).await?.iter().map(read).collect()
    }

    /// Reads a row that may be missing.
    async fn one<T>(
        &self,
        statement: Query<'_, Engine, PgArguments>,
        read: impl Fn(&PgRow) -> Stored<T>,
    ) -> Stored<Option<T>> {
        let row = async { statement.fetch_optional(&self.pool).await.map_err(failed) };
        self.within(row).await?.as_ref().map(read).transpose()
    }
}

/// Where it is, without time limits.
pub(super) fn options(config: &PostgresConfig) -> Stored<PgConnectOptions> {
    let parsed: Result<PgConnectOptions, _> = config.url.parse();
    // What does not parse is not said: it has a password in it.
    let options = parsed.map_err(|_| StorageError::Unavailable("storage.url is no URL".into()))?;
    Ok(options.application_name("kefu"))
}

/// With the time limits that the server itself enforces.
fn timed(options: PgConnectOptions, config: &PostgresConfig) -> PgConnectOptions {
    let ms = |time: Duration| time.as_millis().to_string();
    let idle = ms(config.statement_timeout + config.acquire_timeout);
    options.options([
        ("statement_timeout", ms(config.statement_timeout)),
        ("lock_timeout", ms(config.lock_timeout)),
        ("idle_in_transaction_session_timeout", idle),
    ])
}

/// One connection of its own, outside of any pool, within the time for one.
pub(super) async fn connect(
    config: &PostgresConfig,
    options: &PgConnectOptions,
) -> Stored<PgConnection> {
    let connected = tokio::time::timeout(config.acquire_timeout, options.connect()).await;
    let silent = |_| StorageError::Unavailable("PostgreSQL does not answer".into());
    connected.map_err(silent)?.map_err(failed)
}

/// Brings the tables up to date; nodes that start at once take turns (sqlx takes an advisory lock).
pub(super) async fn prepare(config: &PostgresConfig, options: &PgConnectOptions) -> Stored<()> {
    let mut connection = connect(config, options).await?;
    let version = connection.server_version_num().unwrap_or(0);
    if version < OLDEST {
        let (found, least) = (version / 10_000, OLDEST / 10_000);
        let why = format!("it is PostgreSQL {found}, and kefu needs {least} or newer");
        return Err(StorageError::Unavailable(why));
    }
    MIGRATIONS.run(&mut connection).await.map_err(|error| migration(&error))?;
    query(
        "SELECT prepare_events(n, n) FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS n) AS t",
    )
    .execute(&mut connection)
    .await
    .map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// Why the tables cannot be brought up to date, and what to do.
fn migration(error: &MigrateError) -> StorageError {
    StorageError::Unavailable(match error {
        MigrateError::VersionMissing(version) => {
            format!("the database was written by a newer kefu (migration {version}): run that one")
        }
        error => format!("the database cannot be brought up to date: {error}"),
    })
}

/// A database error as the decision a caller can take.
pub(super) fn failed(error: sqlx::Error) -> StorageError {
    let Some(database) = error.as_database_error() else {
        return StorageError::Unavailable(error.to_string());
    };
    match database.code().as_deref() {
        Some("53100") => StorageError::Full,
        Some("23505") => StorageError::Taken(taken(database.constraint())),
        _ => StorageError::Unavailable(error.to_string()),
    }
}

/// What a unique constraint is about, in people's words.
fn taken(constraint: Option<&str>) -> &'static str {
    match constraint {
        Some("agents_login_key") => "login",
        Some("teams_name_key") => "team name",
        Some("sites_key_key") => "site key",
        _ => "id",
    }
}

/// PostgreSQL's text has no NUL, and whoever sends one must not be told to try again for ever.
fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// As [`plain`], where there may be none.
fn plain_or_null(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(plain)
}
