//! Looking at the file without making or changing it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, query, query_scalar};

use super::{MIGRATIONS, all};
use crate::storage::{Kept, StorageError, Stored, rows};

/// What is in `kefu.db`. Of a server that was killed the write-ahead log is read too; then, and only then, SQLite has
/// to have its index of that log (`kefu.db-shm`).
pub(in crate::storage) async fn look(dir: &Path) -> Stored<Kept> {
    let file = dir.join("kefu.db");
    if !file.is_file() {
        return Ok(Kept::Nothing);
    }
    let unreadable = |error: sqlx::Error| {
        StorageError::Unavailable(format!("{} cannot be read: {error}", file.display()))
    };
    // Without anything in the log the file is whole, and nothing needs to stand beside it.
    let log = std::fs::metadata(dir.join("kefu.db-wal"));
    let whole = log.map_or(true, |log| log.len() == 0);
    let options = SqliteConnectOptions::new().filename(&file).read_only(true).immutable(whole);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(unreadable)?;
    let made: i64 =
        query_scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut connection)
            .await
            .map_err(unreadable)?;
    if made == 0 {
        return Ok(Kept::Nothing);
    }
    let applied: i64 = query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&mut connection)
        .await
        .map_err(unreadable)?;
    let (applied, known) = (usize::try_from(applied).unwrap_or(0), MIGRATIONS.iter().count());
    if applied != known {
        return Ok(Kept::Other { applied, known });
    }
    let found = query("SELECT * FROM generations ORDER BY created_at DESC, number DESC, id")
        .fetch_all(&mut connection)
        .await;
    all(found, rows::generation).map(Kept::Readable)
}
