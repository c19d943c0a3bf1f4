//! Inspection against real storage, a real stream and real components.

use std::path::Path;

use super::*;
use crate::conversations::Ask;
use crate::conversations::tests::world::{World, key};
use crate::domain::ids::GenerationId;
use crate::domain::people::Principal;
use crate::pipeline::closed::Closed;
use crate::plugins::{Budgets, Install, PluginsConfig};
use crate::storage::Origin;

/// A plugin host on the world's storage, and the generation that serves there.
async fn served_by(world: &World, name: &str, config: &str) -> (Arc<Plugins>, GenerationId) {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let path = target.join(format!("{name}.wasm"));
    let component = std::fs::read(&path)
        .unwrap_or_else(|_| panic!("{} is missing: run `cargo xtask plugins`", path.display()));
    // Wall time is generous: a loaded machine must not turn good calls into faults.
    let budgets = Budgets { inspection: (500_000_000, 60_000), ..PluginsConfig::default().budgets };
    let limits = PluginsConfig { budgets, ..PluginsConfig::default() };
    let (storage, clock) = (Arc::clone(&world.storage), world.clock.clone());
    let plugins = Plugins::open(storage, limits, clock).await.unwrap();
    let install = Install {
        bytes: component,
        named: ("test".into(), "1.0.0".into()),
        origin: Origin::Shipped,
        config: config.into(),
        created_by: "kefu".into(),
    };
    let id = plugins.install(install).await.unwrap().id;
    plugins.activate(id).await.unwrap();
    (plugins, id)
}

/// Inspection at work until the token is cancelled.
fn at_work(world: &World, plugins: Arc<Plugins>) -> CancellationToken {
    let inspection = Inspection::new(
        Arc::clone(&world.storage),
        Arc::clone(&world.stream),
        plugins,
        Arc::clone(&world.sessions),
        world.clock.clone(),
    );
    let closed =
        Closed::new(Arc::clone(&world.storage), Arc::clone(&world.stream), Arc::clone(&inspection));
    let shutdown = CancellationToken::new();
    let (one, two) = (shutdown.clone(), shutdown.clone());
    crate::runtime::spawn(async move { inspection.run(one).await });
    crate::runtime::spawn(async move { closed.follow(two).await });
    shutdown
}

/// A conversation of an agent who greets, answers and takes leave; closed.
async fn talked(world: &World, agent: &Principal) -> ConversationId {
    let visitor = world.visitor().await;
    let id = world.opened(&visitor).await;
    let say = |text: &str| Ask::Say { text: text.into(), note: false, file: None };
    for (n, who, ask) in [
        (0, agent, Ask::Take),
        (1, agent, say("您好，今天发货。")),
        (2, &visitor, say("好的谢谢")),
        (3, agent, say("不客气，祝您生活愉快，再见")),
        (4, agent, Ask::Close),
    ] {
        world.service.ask(who, id, key(&format!("t{n}")), ask).await.unwrap();
    }
    id
}

async fn quality(world: &World, agent: &Principal) -> f64 {
    world.storage.agent(world.id_of(agent)).await.unwrap().unwrap().quality
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_plugin_every_closed_conversation_gets_an_empty_report() {
    let world = World::new().await;
    let li = world.agent("li", 5).await;
    let before = talked(&world, &li).await;
    let shutdown = at_work(&world, Arc::clone(&world.plugins));
    assert_eq!(report(&world, before).await.generation, None);
    let after = talked(&world, &li).await;
    assert_eq!(report(&world, after).await.generation, None);
    let moved = (quality(&world, &li).await - 0.8).abs();
    assert!(moved < 1e-9, "no plugin, no score, no change");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_inspector_scores_and_moves_the_agents_quality() {
    let world = World::new().await;
    let li = world.agent("li", 5).await;
    let (plugins, generation) = served_by(&world, "plugins/quality-inspector", "{}").await;
    let shutdown = at_work(&world, plugins);
    let id = talked(&world, &li).await;
    let report = report(&world, id).await;
    assert_eq!(report.generation, Some(generation));
    assert_eq!(report.agent, Some(world.id_of(&li)));
    assert!(report.card.score > 80 && !report.card.items.is_empty(), "{:?}", report.card);
    // A tenth of the way, right after the report.
    let moved = 0.8 + (f64::from(report.card.score) / 100.0 - 0.8) / 10.0;
    let moves = async {
        while (quality(&world, &li).await - moved).abs() > 1e-9 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), moves).await.expect("quality moves");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspector_that_breaks_leaves_an_empty_report_and_no_trace_on_quality() {
    for deed in ["trap", "loop", "error"] {
        let world = World::new().await;
        let li = world.agent("li", 5).await;
        let config = format!(r#"{{"deed":"{deed}"}}"#);
        let hostile = "plugin-tests/hostile-inspection";
        let (plugins, _) = served_by(&world, hostile, &config).await;
        let shutdown = at_work(&world, Arc::clone(&plugins));
        let id = talked(&world, &li).await;
        let report = report(&world, id).await;
        assert_eq!((report.generation, report.card.score), (None, 0), "{deed}");
        let [_, _, inspection] = plugins.stats();
        let served = &inspection.served[0];
        assert_eq!((served.calls, served.answered), (1, 0), "{deed}: it was asked");
        assert!((quality(&world, &li).await - 0.8).abs() < 1e-9, "{deed}");
        shutdown.cancel();
    }
}

async fn report(world: &World, id: ConversationId) -> Report {
    let found = async {
        loop {
            if let Some(report) = world.storage.report(id).await.unwrap() {
                return report;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("in time")
}
