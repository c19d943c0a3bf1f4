//! Hostile components: each way of misbehaving ends as a fault or a refusal, and the host goes on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::domain::ids::{AgentId, ConversationId, GenerationId, SiteId, TeamId};
use crate::domain::plugin::Candidate;
use crate::storage::{Generation, Stage};

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

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage::open(dir.path()).await.unwrap();
    // Wall time is generous: a loaded machine must not turn good calls into faults.
    let calls = (20_000_000, 20_000);
    let budgets = Budgets { routing: calls, filter: calls, inspection: calls };
    let config = PluginsConfig { quarantine_after: 3, budgets, ..PluginsConfig::default() };
    let plugins = Plugins::open(Arc::clone(&storage), config, Clock::system()).await.unwrap();
    World { plugins, storage, _dir: dir }
}

fn with(component: Vec<u8>, config: &str) -> Install {
    Install {
        name: "test".into(),
        version: "1.0.0".into(),
        component,
        config: config.into(),
        created_by: "kefu".into(),
    }
}

fn deed(name: &str) -> Install {
    with(component("plugin-tests/hostile"), &format!(r#"{{"deed":"{name}"}}"#))
}

impl World {
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

#[tokio::test]
async fn the_shipped_router_answers_and_is_the_same_twice() {
    let world = world().await;
    assert_eq!(world.plugins.rank(&input(2)).outcome, Outcome::Absent);
    let row = world.serve(with(component("plugins/weighted-router"), "{}")).await;
    assert_eq!((row.number, row.point), (1, Point::Routing));
    let first = world.plugins.rank(&input(2));
    assert_eq!(first.outcome, Outcome::Answered, "{:?}", first.detail);
    let value = first.value.clone().unwrap();
    assert!((value.scores[0] - (0.3 * 0.5 + 0.4 * 0.5 + 0.3)).abs() < 1e-12);
    let again = world.plugins.rank(&input(2));
    assert_eq!((again.value.unwrap(), again.fuel), (value, first.fuel));
    assert_eq!(first.digest.unwrap().len(), 64);
    let stats = world.plugins.stats();
    assert_eq!((stats[0].calls, stats[0].absent, stats[0].faults), (2, 1, 0));
    assert!(stats[0].p99_us >= stats[0].p50_us);
}

#[tokio::test]
async fn what_is_not_a_plugin_is_refused_with_the_reason() {
    let world = world().await;
    let wat = |text: &str| wat::parse_str(text).unwrap();
    for (component, words) in [
        (b"MZ".to_vec(), "not WebAssembly"),
        (b"\0asm\x0d\0\x01\0junk".to_vec(), "not a valid component"),
        (wat("(module)"), "core module"),
        (wat("(component)"), "exports 0"),
        (
            wat(r#"(component (instance $i) (export "kefu:routing/routing@1.0.0" (instance $i)))"#),
            "shape of the interface",
        ),
        (
            wat(r#"(component (import "wasi:clocks/now@0.2.0" (func)) (instance $i)
                (export "kefu:routing/routing@1.0.0" (instance $i)))"#),
            "imports",
        ),
    ] {
        let refused = world.refused(with(component, "{}")).await;
        assert!(refused.contains(words), "{refused}");
    }
    assert!(world.plugins.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn bad_configs_are_refused_with_the_plugins_words() {
    let world = world().await;
    for (config, words) in [
        ("", "not JSON"),
        ("[]", "JSON object"),
        (r#"{"skill":0.9}"#, "must be 1"),
        (r#"{"skil":0.9}"#, "unknown field"),
    ] {
        let refused = world.refused(with(component("plugins/weighted-router"), config)).await;
        assert!(refused.contains(words), "{refused}");
    }
    let refused = world.refused(deed("loop_in_configure")).await;
    assert!(refused.contains("configure broke"), "{refused}");
    let always = with(component("plugin-tests/hostile"), r#"{"deed":"nan","always":true}"#);
    assert!(world.refused(always).await.contains("admission case"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misdeed_is_a_fault_and_quarantines() {
    let world = world().await;
    for (name, words) in [
        ("loop", "fuel"),
        ("allocate", ""),
        ("trap", ""),
        ("recurse", ""),
        ("nan", "finite"),
        ("long", "scores for 3"),
        ("factors", "do not fill"),
    ] {
        let row = world.serve(deed(name)).await;
        for _ in 0..3 {
            let answer = world.plugins.rank(&input(3));
            let detail = answer.detail.unwrap_or_default();
            assert_eq!(answer.outcome, Outcome::Fault, "{name}: {detail}");
            assert!(detail.contains(words), "{name}: {detail}");
            assert_eq!(answer.generation, Some(row.id));
        }
        for _ in 0..1_000 {
            if world.stage(row.id).await == Stage::Quarantined {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(world.stage(row.id).await, Stage::Quarantined, "{name}");
        assert_eq!(world.plugins.rank(&input(3)).outcome, Outcome::Absent, "{name}");
    }
}

#[tokio::test]
async fn an_error_and_no_opinion_are_no_faults() {
    let world = world().await;
    for (name, outcome) in [("error", Outcome::Error), ("no_opinion", Outcome::NoOpinion)] {
        let row = world.serve(deed(name)).await;
        for _ in 0..10 {
            assert_eq!(world.plugins.rank(&input(3)).outcome, outcome);
        }
        assert_eq!(world.stage(row.id).await, Stage::Active);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_quarantine_the_previous_generation_serves_again() {
    let world = world().await;
    let good = world.serve(deed("behave")).await;
    let bad = world.serve(deed("trap")).await;
    for _ in 0..3 {
        world.plugins.rank(&input(3));
    }
    for _ in 0..1_000 {
        if world.plugins.rank(&input(3)).outcome == Outcome::Answered {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.plugins.rank(&input(3)).generation, Some(good.id));
    assert_eq!(world.stage(bad.id).await, Stage::Quarantined);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_while_calls_are_in_flight_mixes_nothing() {
    let world = world().await;
    let (up, down) = (world.serve(deed("behave")).await, world.serve(deed("reverse")).await);
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (plugins, stop) = (Arc::clone(&world.plugins), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut calls = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = plugins.rank(&input(3));
                    let scores = answer.value.unwrap().scores;
                    let falls = scores == [0.0, -1.0, -2.0];
                    assert_eq!(falls, answer.generation == Some(up.id));
                    assert!(falls || scores == [-2.0, -1.0, 0.0]);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for id in [up.id, down.id, up.id] {
        world.plugins.activate(id).await.unwrap();
    }
    let back = world.plugins.rollback(Point::Routing).await.unwrap();
    assert_eq!(back.id, down.id);
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        assert!(thread.join().unwrap() > 0);
    }
    assert_eq!(world.plugins.stats()[0].faults, 0);
}

#[tokio::test]
async fn a_restart_restores_what_was_active() {
    let world = world().await;
    let row = world.serve(deed("reverse")).await;
    let storage = Arc::clone(&world.storage);
    let config = PluginsConfig::default();
    let again = Plugins::open(storage, config, Clock::system()).await.unwrap();
    assert_eq!(again.rank(&input(2)).generation, Some(row.id));
}

#[tokio::test]
async fn the_shipped_filter_and_inspector_pass_admission() {
    let world = world().await;
    for (name, point) in
        [("message-filter", Point::Filter), ("quality-inspector", Point::Inspection)]
    {
        let row = world.serve(with(component(&format!("plugins/{name}")), "{}")).await;
        assert_eq!(row.point, point);
    }
}
