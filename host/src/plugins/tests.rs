//! The plugin host with real components: the shipped ones, a hostile one, and some that are none.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::domain::ids::{AgentId, ConversationId, GenerationId, SiteId, TeamId};
use crate::domain::plugin::Candidate;
use crate::storage::{Generation, Origin, Stage};

mod admission;
mod misdeeds;
mod packages;
mod policies;
mod swap;

fn component(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let path: PathBuf = root.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|_| panic!("{} is missing: run `cargo xtask plugins`", path.display()))
}

struct World {
    plugins: Arc<Plugins>,
    storage: storage::Handle,
    _dir: tempfile::TempDir,
}

/// Wall time is generous: a loaded machine must not turn good calls into faults.
async fn world() -> World {
    world_with(20_000_000, 20_000).await
}

/// One whose calls may use so much fuel and so many ms.
async fn world_with(fuel: u64, deadline_ms: u32) -> World {
    let dir = tempfile::tempdir().unwrap();
    let storage =
        storage::open(&storage::StorageConfig::Sqlite(dir.path().into())).await.unwrap().storage;
    World::opened(storage, config(fuel, deadline_ms), dir).await
}

fn config(fuel: u64, deadline_ms: u32) -> PluginsConfig {
    let calls = (fuel, deadline_ms);
    let budgets = Budgets { routing: calls, filter: calls, ..PluginsConfig::default().budgets };
    PluginsConfig { quarantine_after: 3, budgets, ..PluginsConfig::default() }
}

fn with(component: Vec<u8>, config: &str) -> Install {
    Install {
        bytes: component,
        named: ("test".into(), "1.0.0".into()),
        origin: Origin::Shipped,
        config: config.into(),
        created_by: "kefu".into(),
    }
}

fn deed(name: &str) -> Install {
    with(component("plugin-tests/hostile"), &format!(r#"{{"deed":"{name}"}}"#))
}

impl World {
    async fn opened(
        storage: storage::Handle,
        config: PluginsConfig,
        dir: tempfile::TempDir,
    ) -> Self {
        let plugins = Plugins::open(Arc::clone(&storage), config, Clock::system()).await.unwrap();
        Self { plugins, storage, _dir: dir }
    }

    /// The server stops and starts, with this rule.
    async fn restarted(self, require: Require) -> Self {
        let Self { plugins, storage, _dir: dir } = self;
        drop(plugins);
        let config = PluginsConfig { require, ..config(20_000_000, 20_000) };
        Self::opened(storage, config, dir).await
    }

    async fn serve(&self, install: Install) -> Generation {
        let row = self.plugins.install(install).await.unwrap();
        assert_eq!(row.stage, Stage::Admitted);
        self.plugins.activate(row.id).await.unwrap()
    }

    async fn refused(&self, install: Install) -> String {
        self.plugins.install(install).await.unwrap_err().to_string()
    }

    async fn stage(&self, id: GenerationId) -> Stage {
        let all = self.storage.generations().await.unwrap();
        all.into_iter().find(|row| row.id == id).unwrap().stage
    }

    /// How many calls a generation of the routing point had, if it is remembered.
    fn calls(&self, id: GenerationId) -> Option<u64> {
        let [routing, ..] = self.plugins.stats();
        routing.served.iter().find(|one| one.generation == id).map(|one| one.calls)
    }

    /// Waits until a generation has come to a stage.
    async fn comes_to(&self, id: GenerationId, stage: Stage) {
        let begun = Instant::now();
        while self.stage(id).await != stage {
            assert!(begun.elapsed() < Duration::from_secs(20), "{id} never came to {stage:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn input(wide: u64) -> RoutingInput {
    RoutingInput {
        now: 7,
        seed: 1,
        conversation: ConversationId::new(1).unwrap(),
        site: SiteId::new(1).unwrap(),
        team: TeamId::new(1).unwrap(),
        waited_ms: 0,
        priority: 0,
        needs: vec![(0, 2, true)],
        candidates: (1..=wide)
            .map(|agent| Candidate {
                agent: AgentId::new(agent).unwrap(),
                active: 1,
                capacity: 2,
                quality: 1.0,
                idle_ms: agent,
                returning: false,
            })
            .collect(),
        levels: (0..wide).map(|_| 1).collect(),
        attrs: vec![],
    }
}
