//! PostgreSQL away: killed and started again, silent, the way to it cut.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kefu_servers::Postgres as Server;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Schema, config};
use crate::runtime;
use crate::storage::contract::{furnish, waiting};
use crate::storage::postgres::Postgres;
use crate::storage::{Handle, PostgresConfig, StorageConfig, StorageError, open};

/// With it nothing may take longer than `QUICK`.
fn impatient(config: PostgresConfig) -> PostgresConfig {
    PostgresConfig {
        acquire_timeout: Duration::from_secs(1),
        statement_timeout: Duration::from_secs(1),
        ..config
    }
}

const QUICK: Duration = Duration::from_secs(4);

/// A call that must fail as unavailable, soon.
async fn is_away(storage: &Handle) {
    let begun = Instant::now();
    let answer = storage.teams().await;
    assert!(matches!(answer, Err(StorageError::Unavailable(_))), "{answer:?}");
    assert!(begun.elapsed() < QUICK, "after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_told_soon_and_used_again_when_it_is_back() {
    if kefu_servers::named("KEFU_TEST_POSTGRES").is_none() {
        return;
    }
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/servers");
    let mut server = Server::start(&target.join("outage-postgres")).unwrap();
    let settings = impatient(config(&server.url("postgres")));
    let storage = open(&StorageConfig::Postgres(settings.clone())).await.unwrap().storage;
    furnish(&storage).await;
    server.kill();
    is_away(&storage).await;
    let refused = storage.open(&waiting(1), &[]).await;
    assert!(matches!(refused, Err(StorageError::Unavailable(_))), "{refused:?}");
    let cannot_open = Postgres::open(&settings).await.map(drop);
    assert!(matches!(cannot_open, Err(StorageError::Unavailable(_))), "{cannot_open:?}");
    server.restart().unwrap();
    assert_eq!(storage.teams().await.unwrap().len(), 1, "the first call after it is back");
    storage.open(&waiting(1), &[]).await.unwrap();
    // Idle connections that the server closed meanwhile cost nobody an error.
    server.stop();
    server.restart().unwrap();
    for _ in 0..8 {
        storage.teams().await.unwrap();
    }
}

/// A way to a server that can be cut: nothing passes, and nobody is told.
struct Way {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Way {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&cut);
        runtime::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&server).await.unwrap();
                let (near, far) = (near.into_split(), far.into_split());
                runtime::spawn(pass(near.0, far.1, Arc::clone(&silent)));
                runtime::spawn(pass(far.0, near.1, Arc::clone(&silent)));
            }
        });
        Self { port, cut }
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    cut: Arc<AtomicBool>,
) {
    let mut bytes = [0; 16 << 10];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        if cut.load(Ordering::Acquire) {
            // What was sent into the cut never arrives; both ends stay open.
            std::future::pending::<()>().await;
        }
        if read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_holds_nobody_up() {
    let Some(schema) = Schema::new().await else { return };
    let direct = schema.config();
    let place = direct.url.split('@').nth(1).and_then(|rest| rest.split('/').next());
    let place = place.unwrap().to_owned();
    let way = Way::to(place.clone()).await;
    let url = direct.url.replace(&place, &format!("127.0.0.1:{}", way.port));
    let settings = impatient(PostgresConfig { url, ..direct });
    let storage = open(&StorageConfig::Postgres(settings.clone())).await.unwrap().storage;
    storage.teams().await.unwrap();
    way.cut.store(true, Ordering::Release);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let storage = Arc::clone(&storage);
        calls.spawn(async move { is_away(&storage).await });
    }
    calls.join_all().await;
    let begun = Instant::now();
    let cannot_open = Postgres::open(&settings).await.map(drop);
    assert!(matches!(cannot_open, Err(StorageError::Unavailable(_))), "{cannot_open:?}");
    assert!(begun.elapsed() < QUICK);
    way.cut.store(false, Ordering::Release);
    let deadline = Instant::now() + Duration::from_secs(20);
    while storage.teams().await.is_err() {
        assert!(Instant::now() < deadline, "dead connections are given up");
    }
    schema.drop().await;
}
