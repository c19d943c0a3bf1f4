//! The contract on PostgreSQL, and what only this adapter has: several nodes, outages, a restarted server, a full disk.
//! Each test has a schema of its own on the server that `KEFU_TEST_POSTGRES` names, or a server of its own.

mod outage;

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, query, query_scalar};
use tokio::task::JoinSet;

use super::{MIGRATIONS, Postgres};
use crate::domain::conversation::Conversation;
use crate::runtime::random_bytes;
use crate::storage::contract::{self, agent, furnish, given, told, waiting};
use crate::storage::{
    Claim, Handle, Opened, People as _, PostgresConfig, StorageConfig, StorageError, open,
};

/// A schema that is dropped in the end.
pub(super) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// `None` where there is no server.
    pub(super) async fn new() -> Option<Self> {
        let server = kefu_servers::named("KEFU_TEST_POSTGRES")?;
        let name = format!("t{:016x}", u64::from_le_bytes(random_bytes()));
        let schema = Self { server, name };
        schema.sql(&format!("CREATE SCHEMA {}", schema.name)).await;
        Some(schema)
    }

    pub(super) fn config(&self) -> PostgresConfig {
        let mark = if self.server.contains('?') { '&' } else { '?' };
        config(&format!("{}{mark}options[search_path]={}", self.server, self.name))
    }

    async fn opened(&self) -> Opened {
        open(&StorageConfig::Postgres(self.config())).await.unwrap()
    }

    async fn adapter(&self) -> Postgres {
        Postgres::open(&self.config()).await.unwrap()
    }

    async fn sql(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(super) async fn drop(self) {
        self.sql(&format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }
}

pub(super) fn config(url: &str) -> PostgresConfig {
    PostgresConfig {
        url: url.into(),
        connections: 4,
        acquire_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(10),
        lock_timeout: Duration::from_secs(10),
    }
}

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(schema) = Schema::new().await else { return };
            contract::$name(async || schema.opened().await.storage).await;
            schema.drop().await;
        }
    )+};
}

contract::every!(contract);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_two_nodes_never_exceed_the_capacity() {
    let Some(schema) = Schema::new().await else { return };
    let nodes: [Handle; 2] = [schema.opened().await.storage, schema.opened().await.storage];
    furnish(&nodes[0]).await;
    for number in 1..=3 {
        nodes[0].add_agent(&agent(number, 4), "x").await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for n in 1..=40 {
        nodes[0].open(&waiting(n), &[]).await.unwrap();
    }
    // Both nodes try every conversation for every agent, in opposite orders.
    for node in [0, 1] {
        for n in 1..=40 {
            let storage = Arc::clone(&nodes[node]);
            tasks.spawn(async move {
                let id = if node == 0 { n } else { 41 - n };
                let mut won = 0;
                for number in [1, 2, 3] {
                    let next = given(&waiting(id), agent(number, 4).id, 5_000);
                    let claim = storage.claim(&next, &[told(&next, "v2.0")], None).await.unwrap();
                    won += u32::from(claim == Claim::Won);
                }
                won
            });
        }
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u32>(), 12, "three agents, four each");
    let loads = nodes[1].loads().await.unwrap();
    assert!(loads.iter().all(|(_, load)| *load == 4) && loads.len() == 3, "{loads:?}");
    assert_eq!(nodes[1].unsettled(Duration::ZERO).await.unwrap().len(), 12);
    schema.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_share_the_migrations() {
    let Some(schema) = Schema::new().await else { return };
    let config = schema.config();
    let nodes = futures_util::future::join_all((0..6).map(|_| Postgres::open(&config))).await;
    for opened in nodes {
        opened.unwrap();
    }
    let sql = schema.adapter().await;
    let applied: i64 = query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&sql.pool)
        .await
        .unwrap();
    assert_eq!(applied, MIGRATIONS.iter().count() as i64);
    query("INSERT INTO _sqlx_migrations VALUES (9999, 'later', now(), true, '', 0)")
        .execute(&sql.pool)
        .await
        .unwrap();
    let refused = Postgres::open(&schema.config()).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("newer kefu (migration 9999)"), "{refused}");
    schema.drop().await;
}

#[tokio::test]
async fn what_was_installed_before_trust_is_known_as_that() {
    let Some(schema) = Schema::new().await else { return };
    let before = MIGRATIONS.iter().filter(|one| one.version < 5).cloned().collect();
    let older = PgPool::connect(&schema.config().url).await.unwrap();
    Migrator::with_migrations(before).run(&older).await.unwrap();
    query("INSERT INTO components VALUES ('d', '')").execute(&older).await.unwrap();
    query(contract::BEFORE_TRUST).execute(&older).await.unwrap();
    older.close().await;
    contract::what_came_before_trust(&schema.opened().await.storage).await;
    schema.drop().await;
}

#[tokio::test]
async fn what_others_are_telling_now_is_left_to_them() {
    let Some(schema) = Schema::new().await else { return };
    let sql = schema.adapter().await;
    let handle: Handle = Arc::new(sql.clone());
    furnish(&handle).await;
    for n in [1, 2] {
        handle.open(&waiting(n), &[told(&waiting(n), "v1.0")]).await.unwrap();
    }
    query("UPDATE pending SET stored_at = stored_at - interval '6 s' WHERE conversation = 1")
        .execute(&sql.pool)
        .await
        .unwrap();
    let old = handle.unsettled(Duration::from_secs(5)).await.unwrap();
    assert_eq!(old.len(), 1, "{old:?}");
    assert_eq!((old[0].conversation, old[0].version), (waiting(1).id, 1));
    assert_eq!(old[0].events, [told(&waiting(1), "v1.0")]);
    assert_eq!(handle.unsettled(Duration::ZERO).await.unwrap().len(), 2);
    schema.drop().await;
}

#[tokio::test]
async fn a_full_disk_changes_nothing() {
    let Some(schema) = Schema::new().await else { return };
    let sql = schema.adapter().await;
    let handle: Handle = Arc::new(sql.clone());
    furnish(&handle).await;
    // What PostgreSQL says when a file cannot grow, at the second statement of the transaction.
    sqlx::raw_sql(
        "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
         END $$ LANGUAGE plpgsql;
         CREATE TRIGGER full_disk BEFORE INSERT ON pending EXECUTE FUNCTION full_disk()",
    )
    .execute(&sql.pool)
    .await
    .unwrap();
    let row = waiting(1);
    let refused = handle.open(&row, &[told(&row, "v1.0")]).await;
    assert!(matches!(refused, Err(StorageError::Full)), "{refused:?}");
    assert_eq!(handle.conversation(row.id).await.unwrap(), None);
    handle.open(&row, &[]).await.expect("its id is still free");
    schema.drop().await;
}

#[tokio::test]
async fn text_with_a_nul_is_kept_without_it() {
    let Some(schema) = Schema::new().await else { return };
    let storage = schema.opened().await.storage;
    furnish(&storage).await;
    let mut row = Conversation { visitor_name: Some("a\0b".into()), ..waiting(1) };
    row.fields = [("topic".to_owned(), "a\0b".to_owned())].into();
    storage.open(&row, &[]).await.expect("never refused: a client would try again for ever");
    let kept = storage.conversation(row.id).await.unwrap().unwrap();
    assert_eq!(kept.visitor_name.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(kept.fields, row.fields);
    assert_eq!(storage.agent_by_login("a\0").await.unwrap(), None);
    schema.drop().await;
}

#[tokio::test]
async fn an_unreadable_row_is_named() {
    let Some(schema) = Schema::new().await else { return };
    let sql = schema.adapter().await;
    sql.add_agent(&agent(1, 1), "x").await.unwrap();
    query("UPDATE agents SET role = 'king'").execute(&sql.pool).await.unwrap();
    let refused = sql.agent(agent(1, 1).id).await;
    let Err(StorageError::Corrupt { what: "agent", why }) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.starts_with("role: "), "{why}");
    schema.drop().await;
}

#[tokio::test]
async fn a_lock_is_not_waited_for_without_end() {
    let Some(schema) = Schema::new().await else { return };
    let short = PostgresConfig { lock_timeout: Duration::from_millis(200), ..schema.config() };
    let (holder, other) = (schema.adapter().await, Postgres::open(&short).await.unwrap());
    let handle: Handle = Arc::new(other);
    furnish(&handle).await;
    handle.add_agent(&agent(1, 1), "x").await.unwrap();
    handle.open(&waiting(1), &[]).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    query("SELECT 1 FROM agents FOR UPDATE").execute(&mut *held).await.unwrap();
    let claim = handle.claim(&given(&waiting(1), agent(1, 1).id, 1), &[], None).await;
    assert!(matches!(claim, Err(StorageError::Unavailable(_))), "{claim:?}");
    drop(held);
    let claim = handle.claim(&given(&waiting(1), agent(1, 1).id, 1), &[], None).await;
    assert_eq!(claim.unwrap(), Claim::Won);
    schema.drop().await;
}
