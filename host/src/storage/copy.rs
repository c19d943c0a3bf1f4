//! `kefu migrate copy`: everything of one data directory into an empty PostgreSQL database, then proof that it is there.
//!
//! ```text
//!  kefu.db ── table by table, 1,000 rows a transaction, with how far it got ──▶ tables
//!  stream.db ── the same ──▶ the archive (events, event_heads)
//!  then: every row read again on both sides, counted and digested, table by table
//! ```
//! What was interrupted goes on where the last transaction ended. Until all of it agrees the database is marked
//! unfinished, and no server starts on it. Whoever calls holds the stream's lock: nothing changes at the source meanwhile.
//! The bytes of files are not rows and stay where they are.

mod tables;
mod value;

use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, query, query_scalar};

use super::postgres::{connect, options, prepare};
use super::{PostgresConfig, StorageError};
use tables::{EVENTS, ROWS, Table};
use value::{Sum, Value};

/// Rows in one transaction.
const BATCH: i64 = 1000;
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// From where to where.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The data directory.
    pub from: PathBuf,
    /// The database.
    pub to: PostgresConfig,
    /// Only the events: the rows are there already.
    pub events_only: bool,
}

/// Why it is not copied.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says it itself")]
pub enum CopyError {
    #[error("{path} cannot be read: {why}")]
    Source { path: PathBuf, why: String },
    #[error(transparent)]
    Target(#[from] StorageError),
    #[error("the database is not empty: {0}; copy into an empty one")]
    Foreign(String),
    #[error("another `kefu migrate copy` works on this database")]
    Twice,
    #[error(
        "{table} does not agree: {source_rows} rows (digest {source_digest}) in the data directory, \
         {target_rows} ({target_digest}) in the database; empty the database and copy again"
    )]
    Differs {
        table: &'static str,
        source_rows: u64,
        source_digest: String,
        target_rows: u64,
        target_digest: String,
    },
}

/// What it says on the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// So many rows of a table, of so many, are there.
    Copied(&'static str, u64, u64),
    /// A table agrees: its rows and their digest.
    Agrees(&'static str, u64, String),
    /// It had been copied and found to agree before.
    Done,
}

/// Copies, or goes on copying, and verifies.
///
/// # Errors
/// The first thing that stands in the way; what was copied stays, and the next call goes on from there.
pub async fn copy(job: &Copy, tell: &mut (dyn FnMut(Progress) + Send)) -> Result<(), CopyError> {
    let source = Source::open(job).await?;
    let mut target = Target::open(job, &source.name).await?;
    if target.is_finished().await? {
        tell(Progress::Done);
        return Ok(());
    }
    let tables = || ROWS.iter().filter(|_| !job.events_only).chain([&EVENTS]);
    target.begin(tables()).await?;
    for table in tables() {
        target.fill(&source, table, tell).await?;
    }
    if !job.events_only {
        let next = "SELECT setval(pg_get_serial_sequence('pending', 'ordinal'),
                        (SELECT coalesce(max(ordinal), 0) + 1 FROM pending))";
        query(next).execute(&mut target.sql).await.map_err(failed)?;
    }
    for table in tables() {
        let (there, here) = (source.sum(table).await?, target.sum(table).await?);
        if there != here {
            return Err(CopyError::Differs {
                table: table.name,
                source_rows: there.rows,
                source_digest: there.digest(),
                target_rows: here.rows,
                target_digest: here.digest(),
            });
        }
        tell(Progress::Agrees(table.name, here.rows, here.digest()));
    }
    target.finish().await
}

/// The data directory.
struct Source {
    rows: Option<SqlitePool>,
    events: SqlitePool,
    dir: PathBuf,
    /// Whose data it is, so that no copy goes on with another's.
    name: String,
}

impl Source {
    async fn open(job: &Copy) -> Result<Self, CopyError> {
        let dir = job.from.clone();
        let unreadable = |file: &str, why: String| CopyError::Source { path: dir.join(file), why };
        let file = async |name: &'static str| {
            let options = SqliteConnectOptions::new().filename(dir.join(name));
            let pool = SqlitePoolOptions::new().max_connections(1);
            let opened = pool.connect_with(options.pragma("query_only", "ON")).await;
            opened.map_err(|error| unreadable(name, error.to_string()))
        };
        let rows = match job.events_only {
            true => None,
            false => {
                let found = dir.join("kefu.db").is_file();
                found
                    .then_some(())
                    .ok_or_else(|| unreadable("kefu.db", "it is not there".into()))?;
                // Its tables must have this version's form.
                let brought = super::sqlite::Sqlite::open(&dir).await;
                drop(brought.map_err(|error| unreadable("kefu.db", error.to_string()))?);
                Some(file("kefu.db").await?)
            }
        };
        let mut source =
            Self { rows, events: file("stream.db").await?, dir: dir.clone(), name: String::new() };
        source.name = source.fingerprint().await?;
        Ok(source)
    }

    /// The installation's secrets, and its first event.
    async fn fingerprint(&self) -> Result<String, CopyError> {
        let mut digest = Sha256::new();
        if let Some(rows) = &self.rows {
            let sql = "SELECT bytes FROM secrets ORDER BY name";
            let secrets: Vec<Vec<u8>> = query_scalar(sql)
                .fetch_all(rows)
                .await
                .map_err(|error| self.unreadable("kefu.db", error))?;
            secrets.iter().for_each(|secret| digest.update(secret));
        }
        let sql = "SELECT conversation || ' ' || at || ' ' || key FROM events WHERE ordinal = 1";
        let first: Option<String> = query_scalar(sql)
            .fetch_optional(&self.events)
            .await
            .map_err(|error| self.unreadable("stream.db", error))?;
        digest.update(first.unwrap_or_default());
        Ok(value::hex(&digest.finalize()))
    }

    fn unreadable(&self, file: &str, error: sqlx::Error) -> CopyError {
        CopyError::Source { path: self.dir.join(file), why: error.to_string() }
    }

    fn pool(&self, table: &Table) -> &SqlitePool {
        self.rows.as_ref().filter(|_| table.name != EVENTS.name).unwrap_or(&self.events)
    }

    fn file(&self, table: &Table) -> &'static str {
        if table.name == EVENTS.name { "stream.db" } else { "kefu.db" }
    }

    async fn count(&self, table: &Table) -> Result<u64, CopyError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count: Result<i64, _> =
            query_scalar(AssertSqlSafe(sql)).fetch_one(self.pool(table)).await;
        let count = count.map_err(|error| self.unreadable(self.file(table), error))?;
        Ok(count.cast_unsigned())
    }

    /// The next rows after a rowid, and the rowid of the last.
    async fn batch(&self, table: &Table, after: i64) -> Result<(Vec<Vec<Value>>, i64), CopyError> {
        let rows = query(AssertSqlSafe(table.page()))
            .bind(after)
            .bind(BATCH)
            .fetch_all(self.pool(table))
            .await
            .map_err(|error| self.unreadable(self.file(table), error))?;
        let mut last = after;
        let mut values = Vec::with_capacity(rows.len());
        for row in &rows {
            let failed = |error| self.unreadable(self.file(table), error);
            values.push(table.values(row).map_err(failed)?);
            last = table.rowid(row).map_err(failed)?;
        }
        Ok((values, last))
    }

    async fn sum(&self, table: &Table) -> Result<Sum, CopyError> {
        let failed = |error| self.unreadable(self.file(table), error);
        let mut sum = Sum::default();
        let sql = table.everything_there();
        let mut rows = query(AssertSqlSafe(sql)).fetch(self.pool(table));
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            sum.add(&table.values(&row).map_err(failed)?);
        }
        Ok(sum)
    }
}

/// The database, on one connection without time limits.
struct Target {
    sql: PgConnection,
    source: String,
}

impl Target {
    async fn open(job: &Copy, source: &str) -> Result<Self, CopyError> {
        let options = options(&job.to)?;
        prepare(&job.to, &options).await?;
        let mut sql = connect(&job.to, &options).await?;
        // The server may take a moment to notice that a copy was killed.
        query("SET lock_timeout = '10s'").execute(&mut sql).await.map_err(failed)?;
        query("SELECT pg_advisory_lock(hashtext(current_schema() || '.copy'))")
            .execute(&mut sql)
            .await
            .map_err(|error| match error.as_database_error().and_then(|error| error.code()) {
                Some(code) if code == LOCK_NOT_AVAILABLE => CopyError::Twice,
                _ => failed(error),
            })?;
        query("SET lock_timeout = 0").execute(&mut sql).await.map_err(failed)?;
        Ok(Self { sql, source: source.to_owned() })
    }

    async fn is_finished(&mut self) -> Result<bool, CopyError> {
        let finished: Option<bool> =
            query_scalar("SELECT finished_at IS NOT NULL FROM copies WHERE source = $1")
                .bind(&self.source)
                .fetch_optional(&mut self.sql)
                .await
                .map_err(failed)?;
        Ok(finished == Some(true))
    }

    /// Takes possession of an empty database, or of one that a copy of the same data began to fill.
    async fn begin(&mut self, tables: impl Iterator<Item = &Table>) -> Result<(), CopyError> {
        let begun: Option<String> =
            query_scalar("SELECT source FROM copies WHERE finished_at IS NULL")
                .fetch_optional(&mut self.sql)
                .await
                .map_err(failed)?;
        match begun {
            Some(source) if source == self.source => return Ok(()),
            Some(_) => return Err(CopyError::Foreign("it has half a copy of other data".into())),
            None => {}
        }
        for table in tables {
            let sql = format!("SELECT EXISTS (SELECT FROM {})", table.name);
            let used: bool =
                query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.sql).await.map_err(failed)?;
            if used {
                return Err(CopyError::Foreign(format!("there are {} in it", table.name)));
            }
        }
        query("INSERT INTO copies (source) VALUES ($1)")
            .bind(&self.source)
            .execute(&mut self.sql)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Copies what is missing of a table.
    async fn fill(
        &mut self,
        source: &Source,
        table: &'static Table,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), CopyError> {
        let all = source.count(table).await?;
        let progress: Option<(i64, i64)> =
            sqlx::query_as("SELECT last, rows FROM copied_tables WHERE name = $1 AND source = $2")
                .bind(table.name)
                .bind(&self.source)
                .fetch_optional(&mut self.sql)
                .await
                .map_err(failed)?;
        let (mut after, mut done) = progress.unwrap_or((i64::MIN, 0));
        tell(Progress::Copied(table.name, done.cast_unsigned(), all));
        loop {
            let (rows, last) = source.batch(table, after).await?;
            if rows.is_empty() {
                return Ok(());
            }
            after = last;
            done += i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let mut transaction = self.sql.begin().await.map_err(failed)?;
            table.insert(&mut transaction, &rows).await.map_err(failed)?;
            query(
                "INSERT INTO copied_tables (name, source, last, rows) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (name) DO UPDATE SET
                     source = excluded.source, last = excluded.last, rows = excluded.rows",
            )
            .bind(table.name)
            .bind(&self.source)
            .bind(after)
            .bind(done)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            tell(Progress::Copied(table.name, done.cast_unsigned(), all));
        }
    }

    async fn sum(&mut self, table: &Table) -> Result<Sum, CopyError> {
        let mut sum = Sum::default();
        let sql = table.everything_here();
        let mut rows = query(AssertSqlSafe(sql)).fetch(&mut self.sql);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            sum.add(&table.values(&row).map_err(failed)?);
        }
        Ok(sum)
    }

    async fn finish(mut self) -> Result<(), CopyError> {
        query("UPDATE copies SET finished_at = clock_timestamp() WHERE source = $1")
            .bind(&self.source)
            .execute(&mut self.sql)
            .await
            .map_err(failed)?;
        self.sql.close().await.map_err(failed)
    }
}

fn failed(error: sqlx::Error) -> CopyError {
    CopyError::Target(super::postgres::failed(error))
}
