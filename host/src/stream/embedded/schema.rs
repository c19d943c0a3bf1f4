//! Opening `stream.db`: pragmas, migrations, and the one query that reader and writer share.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::known::Talk;
use crate::domain::ids::{ConversationId, Seq};
use crate::stream::StreamLimits;

/// In order; `user_version` is the number of those applied. Append only.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../../migrations/sqlite/stream/0001_events.sql"),
    include_str!("../../../../migrations/sqlite/stream/0002_no_index_over_keys.sql"),
];

/// Bytes of a page of a new file. A commit writes every page it touches whole, and events of many
/// conversations touch many: small pages make the log several times shorter.
const PAGE_BYTES: u32 = 1_024;

/// Pages the writer keeps in memory, as `cache_size` takes it (negative: KiB). A page that splits out of order is
/// renumbered through a number beyond the file (btree.c, `balance_nonroot`), and the commit after it walks the whole
/// cache to drop such numbers (pcache1.c, `pcache1TruncateUnsafe`). With 32 MB that took a millisecond of nearly every
/// commit once the cache was full. What is written to next stays within this; the rest is in the system's cache.
const WRITER_CACHE: i32 = -2_000;

/// The net for a checkpointer that fails: the writer moves the log itself when it has so many frames.
const NET_FRAMES: u32 = 256_000;

/// Why the file could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrateError {
    #[error("format {found} is newer than {known}")]
    Newer { found: u32, known: u32 },
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

pub(super) fn open_writer(path: &Path, limits: &StreamLimits) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", NET_FRAMES)?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
    if let Some(bytes) = limits.max_bytes {
        let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let most = u32::try_from(bytes / u64::from(page.max(1))).unwrap_or(u32::MAX - 1).max(1);
        connection.pragma_update(None, "max_page_count", most)?;
    }
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -4_000)?;
    Ok(connection)
}

pub(super) fn open_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Moves what nobody reads any more from the log into the file, without waiting for readers or the
/// writer; the number of frames in the log.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}

/// Applies what is missing, each step in its own transaction together with its number.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), MigrateError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(MigrateError::Newer { found, known });
    }
    for (step, sql) in (1u32..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The last `seq`, 0 without events.
pub(super) fn head(connection: &Connection, id: ConversationId) -> rusqlite::Result<Seq> {
    connection
        .prepare_cached("SELECT seq FROM events WHERE conversation = ? ORDER BY seq DESC LIMIT 1")?
        .query_row(params![id.get().cast_signed()], |row| row.get::<_, i64>(0))
        .optional()
        .map(|seq| seq.unwrap_or(0).cast_unsigned())
}

/// What the writer has to know of a conversation; `print` of each event's `(sender_kind, sender)` and key.
pub(super) fn talk(
    connection: &Connection,
    id: ConversationId,
    print: impl Fn((i64, i64), &[u8]) -> u64,
) -> rusqlite::Result<Talk> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, sender_kind, sender, key FROM events WHERE conversation = ?",
    )?;
    let mut rows = statement.query(params![id.get().cast_signed()])?;
    let mut talk = Talk::default();
    while let Some(row) = rows.next()? {
        let key = row.get_ref(3)?.as_bytes()?;
        talk.add(row.get::<_, i64>(0)?.cast_unsigned(), print((row.get(1)?, row.get(2)?), key));
    }
    Ok(talk)
}
