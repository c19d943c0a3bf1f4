//! What is there, and serves, after the first start, after a second, and where an older program ran.

use std::sync::Arc;

use super::*;
use crate::plugins::PluginsConfig;
use crate::runtime::Clock;
use crate::storage::{self, Handle, Stage, StorageConfig};

async fn world() -> (tempfile::TempDir, Handle, Arc<Plugins>) {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage::open(&StorageConfig::Sqlite(dir.path().into())).await.unwrap().storage;
    let config = PluginsConfig::default();
    let plugins = Plugins::open(Arc::clone(&storage), config, Clock::system()).await.unwrap();
    (dir, storage, plugins)
}

/// Names and whether they serve, by number.
async fn kept(storage: &Handle) -> Vec<(Point, String, bool)> {
    let mut rows = storage.generations().await.unwrap();
    rows.sort_by_key(|row| (row.point, row.number));
    rows.into_iter().map(|row| (row.point, row.name, row.stage == Stage::Active)).collect()
}

#[tokio::test]
async fn the_first_start_installs_all_and_later_ones_nothing() {
    let (_dir, storage, plugins) = world().await;
    plugins.install_shipped().await.unwrap();
    let first = kept(&storage).await;
    let serve: Vec<_> = first.iter().filter(|row| row.2).map(|row| row.1.as_str()).collect();
    assert_eq!(serve, SERVING);
    let wait: Vec<_> = first.iter().filter(|row| !row.2).map(|row| row.1.as_str()).collect();
    assert_eq!(wait, FURTHER);
    plugins.install_shipped().await.unwrap();
    assert_eq!(kept(&storage).await, first);
}

#[tokio::test]
async fn each_further_policy_passes_once_it_is_to_serve() {
    let (_dir, storage, plugins) = world().await;
    plugins.install_shipped().await.unwrap();
    let all = storage.generations().await.unwrap();
    for name in FURTHER {
        let shelved = all.iter().find(|row| row.name == name).unwrap();
        let serves = plugins.activate(shelved.id).await.unwrap();
        let (then, now) = ((shelved.fuel, shelved.deadline_ms), (serves.fuel, serves.deadline_ms));
        assert_eq!((serves.point, then), (Point::Routing, now), "{name}");
        assert_eq!((serves.stage, then.0 > 0), (Stage::Active, true), "{name}");
    }
}

#[tokio::test]
async fn where_an_older_program_ran_only_what_is_new_is_added() {
    let (_dir, storage, plugins) = world().await;
    let own = Install {
        bytes: Components::get("least-busy.wasm").unwrap().data.into_owned(),
        named: ("round-robin".into(), "7.0.0".into()),
        origin: Origin::Earlier,
        config: r#"{"by":"share"}"#.into(),
        created_by: "lin".into(),
    };
    let own = plugins.install(own).await.unwrap();
    plugins.activate(own.id).await.unwrap();
    plugins.install_shipped().await.unwrap();
    let names = ["round-robin", "least-busy", "longest-idle", "returning-visitor-first"];
    let expected = names.map(|name| (Point::Routing, name.to_owned(), name == own.name));
    assert_eq!(kept(&storage).await, expected, "the operator's own is left alone, and serves");
}

#[tokio::test]
async fn what_was_removed_stays_away_until_it_is_asked_for() {
    let (_dir, storage, plugins) = world().await;
    plugins.install_shipped().await.unwrap();
    let all = storage.generations().await.unwrap();
    let gone = all.iter().find(|row| row.name == "round-robin").unwrap();
    plugins.remove(gone.id).await.unwrap();
    let left = kept(&storage).await;
    plugins.install_shipped().await.unwrap();
    assert_eq!(kept(&storage).await, left, "at the next start");

    let back = plugins.restore_shipped("round-robin", "lin".into()).await.unwrap();
    assert_eq!(
        (back.point, back.origin, back.stage),
        (Point::Routing, Origin::Shipped, Stage::Admitted)
    );
    assert_eq!((back.digest, &*back.created_by), (gone.digest.clone(), "lin"));
    assert!(storage.removed_shipped().await.unwrap().is_empty(), "it may come and go again");
    let refused = plugins.restore_shipped("hostile", "lin".into()).await.unwrap_err().to_string();
    assert!(
        refused
            .starts_with("`hostile` does not come with this program; these do: weighted-router, ")
    );
}

#[tokio::test]
async fn where_all_was_removed_nothing_comes_back() {
    let (_dir, storage, plugins) = world().await;
    plugins.install_shipped().await.unwrap();
    for row in storage.generations().await.unwrap() {
        storage.quarantine(row.id, "it is to go").await.unwrap();
        plugins.remove(row.id).await.unwrap();
    }
    plugins.install_shipped().await.unwrap();
    assert!(storage.generations().await.unwrap().is_empty());
}
