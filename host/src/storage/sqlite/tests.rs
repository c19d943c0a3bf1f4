//! Tests of what only this adapter has: a full disk, unreadable rows, pragmas.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{query, query_scalar};

use super::{MIGRATIONS, Sqlite};
use crate::storage::contract::{self, agent, furnish, told, waiting};
use crate::storage::{
    Conversations as _, Handle, Kept, People as _, StorageConfig, StorageError, look, open,
};

async fn opened(dir: &Path) -> Handle {
    open(&StorageConfig::Sqlite(dir.into())).await.unwrap().storage
}

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let dir = tempfile::tempdir().unwrap();
            contract::$name(async || opened(dir.path()).await).await;
        }
    )+};
}

contract::every!(contract);

#[tokio::test]
async fn a_full_disk_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(Sqlite::open(dir.path()).await.unwrap());
    let handle: Handle = Arc::clone(&sqlite) as Handle;
    furnish(&handle).await;
    let pages: i64 = query_scalar("PRAGMA page_count").fetch_one(&sqlite.writer).await.unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages + 4);
    query(sqlx::AssertSqlSafe(limit)).execute(&sqlite.writer).await.unwrap();
    let mut row = waiting(1);
    row.page = Some("x".repeat(100_000));
    let refused = sqlite.open(&row, &[told(&row, "v1.0")]).await;
    assert!(matches!(refused, Err(StorageError::Full)), "{refused:?}");
    assert_eq!(sqlite.conversation(row.id).await.unwrap(), None);
    assert!(sqlite.unsettled(Duration::ZERO).await.unwrap().is_empty());
    sqlite.open(&waiting(2), &[]).await.expect("a small one fits and the writer lives");
}

#[tokio::test]
async fn an_unreadable_row_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(dir.path()).await.unwrap();
    sqlite.add_agent(&agent(1, 1), "x").await.unwrap();
    query("UPDATE agents SET role = 'king'").execute(&sqlite.writer).await.unwrap();
    let refused = sqlite.agent(agent(1, 1).id).await;
    let Err(StorageError::Corrupt { what: "agent", why }) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.starts_with("role: "), "{why}");
}

#[tokio::test]
async fn a_change_left_half_way_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(dir.path()).await.unwrap();
    let mut transaction = sqlite.begin().await.unwrap();
    query("INSERT INTO teams (id, name) VALUES (1, 'x')").execute(&mut *transaction).await.unwrap();
    drop(transaction);
    assert!(sqlite.teams().await.unwrap().is_empty());
    sqlite.add_agent(&agent(1, 1), "x").await.expect("the writer is free again");
}

#[tokio::test]
async fn commits_are_durable_and_readers_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(dir.path()).await.unwrap();
    let journal: String =
        query_scalar("PRAGMA journal_mode").fetch_one(&sqlite.writer).await.unwrap();
    let level: i64 = query_scalar("PRAGMA synchronous").fetch_one(&sqlite.writer).await.unwrap();
    let keys: i64 = query_scalar("PRAGMA foreign_keys").fetch_one(&sqlite.writer).await.unwrap();
    assert_eq!((journal.as_str(), level, keys), ("wal", 2, 1));
    let write = query("DELETE FROM teams").execute(&sqlite.readers).await;
    assert!(write.is_err());
}

#[tokio::test]
async fn looking_makes_and_migrates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = StorageConfig::Sqlite(dir.path().into());
    assert_eq!(look(&config).await.unwrap(), Kept::Nothing);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it was made");
    let sqlite = Sqlite::open(dir.path()).await.unwrap();
    assert_eq!(look(&config).await.unwrap(), Kept::Readable(Vec::new()));
    let last = "DELETE FROM _sqlx_migrations
         WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    query(last).execute(&sqlite.writer).await.unwrap();
    for _ in 0..2 {
        let Kept::Other { applied, known } = look(&config).await.unwrap() else {
            panic!("a migration that is not applied is not seen");
        };
        assert_eq!(applied + 1, known);
    }
}

#[tokio::test]
async fn what_was_installed_before_trust_is_known_as_that() {
    let dir = tempfile::tempdir().unwrap();
    let before = MIGRATIONS.iter().filter(|one| one.version < 7).cloned().collect();
    let file = SqliteConnectOptions::new().filename(dir.path().join("kefu.db"));
    let older = SqlitePool::connect_with(file.create_if_missing(true)).await.unwrap();
    Migrator::with_migrations(before).run(&older).await.unwrap();
    query("INSERT INTO components VALUES ('d', x'00')").execute(&older).await.unwrap();
    query(contract::BEFORE_TRUST).execute(&older).await.unwrap();
    older.close().await;
    contract::what_came_before_trust(&opened(dir.path()).await).await;
}
