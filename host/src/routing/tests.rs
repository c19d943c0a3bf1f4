//! Routing against real storage and a real stream.

use super::*;
use crate::conversations::Ask;
use crate::conversations::tests::world::{World, hears, key};
use crate::domain::conversation::State;
use crate::domain::event::{Event, TransferTarget};
use crate::domain::people::Principal;
use crate::domain::plugin::Outcome;
use crate::domain::routing::Excluded;
use crate::sessions::Push;

fn idle(world: &World) -> Arc<Routing> {
    Routing::new(Parts {
        storage: Arc::clone(&world.storage),
        stream: Arc::clone(&world.stream),
        plugins: Arc::clone(&world.plugins),
        sessions: Arc::clone(&world.sessions),
        presence: Arc::clone(&world.presence),
        conversations: Arc::clone(&world.service),
        clock: world.clock.clone(),
        declined_ms: 300,
    })
}

fn routing(world: &World) -> (Arc<Routing>, CancellationToken) {
    let routing = idle(world);
    let shutdown = CancellationToken::new();
    let (it, token) = (Arc::clone(&routing), shutdown.clone());
    crate::runtime::spawn(async move { it.run(token).await });
    (routing, shutdown)
}

fn assigned(id: ConversationId) -> impl Fn(&Event) -> bool {
    move |event| event.conversation == id && matches!(event.body, EventBody::Assigned { .. })
}

fn agent_of(event: &Event) -> Option<AgentId> {
    match event.body {
        EventBody::Assigned { agent, .. } => Some(agent),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_given_to_whoever_arrives() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let before = world.opened(&visitor).await;
    let mut tail = world.stream.tail();
    let (_routing, shutdown) = routing(&world);
    let li = world.agent("li", 1).await;
    let event = hears(&mut tail, assigned(before)).await;
    assert_eq!(agent_of(&event), Some(world.id_of(&li)));

    let after = world.opened(&visitor).await;
    world.service.ask(&li, before, key("close"), Ask::Close).await.unwrap();
    let event = hears(&mut tail, assigned(after)).await;
    assert_eq!(agent_of(&event), Some(world.id_of(&li)), "freed by closing");

    let decisions = world.storage.decisions(before).await.unwrap();
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].chosen, Some(world.id_of(&li)));
    assert_eq!((decisions[0].outcome, decisions[0].generation), (Outcome::Absent, None));
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_blocks_those_behind() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let mut tail = world.stream.tail();
    let stuck = world.opened_about(&visitor, "billing").await;
    let easy = world.opened(&visitor).await;
    let (_routing, shutdown) = routing(&world);
    let li = world.agent("li", 1).await;
    let event = hears(&mut tail, assigned(easy)).await;
    assert_eq!(agent_of(&event), Some(world.id_of(&li)));
    assert_eq!(world.row(stuck).await.state, State::Waiting);

    let wu = world.skilled("wu", "Billing").await;
    let event = hears(&mut tail, assigned(stuck)).await;
    assert_eq!(agent_of(&event), Some(world.id_of(&wu)));
    let decision = world.service.now(stuck).await.unwrap();
    assert_eq!(decision.agent, Some(world.id_of(&wu)));
    let decision = world.storage.decisions(stuck).await.unwrap().remove(0);
    let reason = |who: &Principal| {
        let id = world.id_of(who);
        decision.excluded.iter().find(|(agent, ..)| *agent == id).map(|(.., why)| *why)
    };
    assert_eq!(reason(&li), Some(Excluded::LacksSkill));
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_says_who_was_passed_over_and_who_got_it() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let (li, wu) = (world.agent("li", 1).await, world.agent("wu", 1).await);
    let routing = idle(&world);
    let mut seen = routing.crowd().await.unwrap();
    // Equals: who became free first is asked first, and within one millisecond the lower number.
    let first = seen.contenders.iter().min_by_key(|one| (one.idle_since, one.agent)).unwrap().agent;
    let (li, wu) = if first == world.id_of(&li) { (li, wu) } else { (wu, li) };
    let before = world.opened(&visitor).await;
    let (id, last) = (world.opened(&visitor).await, world.opened(&visitor).await);
    world.service.ask(&li, before, key("take"), Ask::Take).await.unwrap();
    let mut stale = seen.clone();
    assert!(routing.decide(&world.row(id).await, &mut seen).await.unwrap());
    let decision = world.storage.decisions(id).await.unwrap().remove(0);
    assert_eq!(decision.ranked.len(), 2, "the policy saw both free");
    assert_eq!(decision.passed, [(world.id_of(&li), Excluded::AtCapacity)]);
    assert_eq!(decision.chosen, Some(world.id_of(&wu)));
    let told = world.stream.read(id, 0, 100).await.unwrap();
    let told = told.iter().find_map(|event| match event.body {
        EventBody::Assigned { decision, .. } => decision,
        _ => None,
    });
    assert_eq!(told, Some(decision.id));

    assert!(routing.decide(&world.row(last).await, &mut stale).await.unwrap());
    let decision = world.storage.decisions(last).await.unwrap().remove(0);
    assert_eq!((decision.passed.len(), decision.chosen), (2, None), "both were full by then");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_agents_conversations_go_to_another() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let li = world.agent("li", 5).await;
    let mut tail = world.stream.tail();
    let (_routing, shutdown) = routing(&world);
    let id = world.opened(&visitor).await;
    hears(&mut tail, assigned(id)).await;
    let wu = world.agent("wu", 5).await;
    world.presence.left(world.id_of(&li), true);
    let event = hears(&mut tail, assigned(id)).await;
    assert_eq!(agent_of(&event), Some(world.id_of(&wu)));
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_handed_it_back_is_asked_again_after_a_while() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let li = world.agent("li", 5).await;
    let mut tail = world.stream.tail();
    let (_routing, shutdown) = routing(&world);
    let id = world.opened(&visitor).await;
    hears(&mut tail, assigned(id)).await;
    let to = TransferTarget::Team(world.team);
    world.service.ask(&li, id, key("back"), Ask::Transfer { to, note: None }).await.unwrap();
    let handed = world.row(id).await.declined[0];
    // Nothing else happens meanwhile: only the refusal falling due can wake the routing.
    let event = hears(&mut tail, assigned(id)).await;
    assert_eq!((agent_of(&event), handed.agent), (Some(world.id_of(&li)), world.id_of(&li)));
    assert!(event.at >= handed.at + 300, "{} after {}", event.at, handed.at);
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_fill_everyone_exactly() {
    let world = World::new().await;
    let mut tail = world.stream.tail();
    let (_routing, shutdown) = routing(&world);
    for n in 0..5 {
        world.agent(&format!("agent{n}"), 2).await;
    }
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(world.opened(&world.visitor().await).await);
    }
    for _ in 0..10 {
        hears_any(&mut tail).await;
    }
    let loads = world.storage.loads().await.unwrap();
    assert!(loads.iter().all(|(_, load)| *load == 2) && loads.len() == 5, "{loads:?}");
    let last = *ids.last().unwrap();
    let told = async {
        while !matches!(world.service.place(last), Some(Push::Position { ahead: 1, .. })) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.expect("told its place");
    shutdown.cancel();
}

/// Waits for the next batch that assigns something. One decision at a time: a batch assigns at most
/// one.
async fn hears_any(tail: &mut Tail) {
    hears(tail, |event| matches!(event.body, EventBody::Assigned { .. })).await;
}
