//! Inspection against real storage and a real stream.

use super::*;
use crate::conversations::Ask;
use crate::conversations::tests::world::{World, key};
use crate::pipeline::closed::Closed;

#[tokio::test(flavor = "multi_thread")]
async fn every_closed_conversation_gets_a_report() {
    let world = World::new().await;
    let li = world.agent("li", 5).await;
    let visitor = world.visitor().await;
    let (before, after) = (world.opened(&visitor).await, world.opened(&visitor).await);
    for (n, id) in [before, after].into_iter().enumerate() {
        world.service.ask(&li, id, key(&format!("t{n}")), Ask::Take).await.unwrap();
    }
    world.service.ask(&li, before, key("c1"), Ask::Close).await.unwrap();

    let inspection = Inspection::new(
        Arc::clone(&world.storage),
        Arc::clone(&world.stream),
        Arc::clone(&world.plugins),
        Arc::clone(&world.sessions),
        world.clock.clone(),
    );
    let closed =
        Closed::new(Arc::clone(&world.storage), Arc::clone(&world.stream), Arc::clone(&inspection));
    let shutdown = CancellationToken::new();
    let (one, two) = (shutdown.clone(), shutdown.clone());
    let inspecting = Arc::clone(&inspection);
    crate::runtime::spawn(async move { inspecting.run(one).await });
    crate::runtime::spawn(async move { closed.follow(two).await });
    has_report(&world, before).await;
    world.service.ask(&li, after, key("c2"), Ask::Close).await.unwrap();
    has_report(&world, after).await;
    let agent = world.storage.agent(world.id_of(&li)).await.unwrap().unwrap();
    assert!((agent.quality - 0.8).abs() < 1e-9, "no plugin, no score, no change");
    shutdown.cancel();
}

async fn has_report(world: &World, id: ConversationId) {
    let found = async {
        loop {
            if let Some(report) = world.storage.report(id).await.unwrap() {
                return report;
            }
            tokio::task::yield_now().await;
        }
    };
    let report = tokio::time::timeout(Duration::from_secs(10), found).await.expect("in time");
    assert_eq!(report.generation, None);
}
