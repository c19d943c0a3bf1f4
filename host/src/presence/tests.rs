//! Presence: arrival, grace, return and orderly leaving; and the same over several nodes.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::*;

fn agent(number: u64) -> AgentId {
    AgentId::new(number).unwrap()
}

#[tokio::test]
async fn a_vanished_agent_is_kept_for_the_grace_period() {
    let presence = Presence::new(Clock::from_fn(|| 1000), 50, None);
    let mut changes = presence.changes();
    presence.joined(agent(1));
    assert_eq!(changes.recv().await, Ok(PresenceChange::Arrived(agent(1))));
    presence.left(agent(1), false);
    assert!(presence.is_present(agent(1)));
    assert!(changes.try_recv().is_err());
    assert_eq!(changes.recv().await, Ok(PresenceChange::Lost(agent(1))));
    assert!(!presence.is_present(agent(1)));
}

#[tokio::test]
async fn one_who_returns_in_time_was_never_lost() {
    let now = Arc::new(std::sync::atomic::AtomicU64::new(1));
    let at = now.clone();
    let clock = Clock::from_fn(move || at.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let presence = Presence::new(clock, 30_000, None);
    let mut changes = presence.changes();
    presence.joined(agent(1));
    presence.left(agent(1), false);
    let missed = presence.known.lock().here[&agent(1)].missed_since.unwrap();
    presence.joined(agent(1));
    presence.expire(agent(1), missed);
    presence.left(agent(1), false);
    presence.expire(agent(1), missed);
    assert!(presence.is_present(agent(1)));
    assert_eq!(changes.try_recv(), Ok(PresenceChange::Arrived(agent(1))));
    assert!(changes.try_recv().is_err());
}

#[tokio::test]
async fn an_orderly_bye_of_the_last_session_loses_at_once() {
    let presence = Presence::new(Clock::from_fn(|| 1), 30_000, None);
    let mut changes = presence.changes();
    presence.joined(agent(1));
    presence.joined(agent(1));
    presence.left(agent(1), true);
    assert!(presence.is_present(agent(1)));
    presence.left(agent(1), true);
    assert!(!presence.is_present(agent(1)));
    assert_eq!(changes.try_recv(), Ok(PresenceChange::Arrived(agent(1))));
    assert_eq!(changes.try_recv(), Ok(PresenceChange::Lost(agent(1))));
}

/// Nodes that hear each other, on one clock.
struct Nodes {
    nodes: Vec<Arc<Presence>>,
    now: Arc<AtomicU64>,
    stops: Vec<CancellationToken>,
}

impl Nodes {
    fn new(count: u64) -> Self {
        let now = Arc::new(AtomicU64::new(1_000_000));
        let node = |signals| {
            let at = now.clone();
            Presence::new(Clock::from_fn(move || at.load(Ordering::Relaxed)), 30_000, Some(signals))
        };
        let nodes: Vec<_> = Signals::between(count).into_iter().map(node).collect();
        let start = |node: &Arc<Presence>| {
            let (stop, node) = (CancellationToken::new(), node.clone());
            let stopped = stop.clone();
            runtime::spawn(async move { node.run(stopped).await });
            stop
        };
        let stops = nodes.iter().map(start).collect();
        Self { nodes, now, stops }
    }

    /// Seconds pass; whoever lives announces itself in each.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            let now = self.now.fetch_add(1000, Ordering::Relaxed) + 1000;
            let living =
                || self.nodes.iter().zip(&self.stops).filter(|(_, stop)| !stop.is_cancelled());
            living().for_each(|(node, _)| node.turn(false));
            let heard = async {
                while living().any(|(node, _)| !node.known.lock().elsewhere.was_heard(now)) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(5), heard).await.expect("heard in time");
        }
    }
}

async fn told(changes: &mut broadcast::Receiver<PresenceChange>) -> PresenceChange {
    let change = tokio::time::timeout(Duration::from_secs(5), changes.recv());
    change.await.expect("told in time").unwrap()
}

#[tokio::test]
async fn who_is_on_one_node_is_present_on_all() {
    let Nodes { nodes, .. } = Nodes::new(3);
    let mut changes = nodes[2].changes();
    nodes[0].joined(agent(1));
    assert_eq!(told(&mut changes).await, PresenceChange::Arrived(agent(1)));
    nodes[1].joined(agent(1));
    nodes[1].joined(agent(2));
    assert_eq!(told(&mut changes).await, PresenceChange::Arrived(agent(2)));
    let heard = async {
        while !nodes.iter().all(|node| node.is_present(agent(2))) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), heard).await.expect("heard in time");
    nodes[0].left(agent(1), true);
    nodes[1].left(agent(2), true);
    assert_eq!(told(&mut changes).await, PresenceChange::Lost(agent(2)));
    assert!(nodes.iter().all(|node| node.is_present(agent(1))), "the second node still has it");
    nodes[1].left(agent(1), true);
    assert_eq!(told(&mut changes).await, PresenceChange::Lost(agent(1)));
    assert!(nodes.iter().all(|node| !node.is_present(agent(1))));
}

#[tokio::test]
async fn a_dead_nodes_agents_are_lost_after_the_grace_period_unless_they_come_back() {
    let world = Nodes::new(2);
    let mut changes = world.nodes[1].changes();
    world.nodes[0].joined(agent(1));
    world.nodes[0].joined(agent(2));
    let arrived = HashSet::from([told(&mut changes).await, told(&mut changes).await]);
    assert_eq!(arrived, HashSet::from([1, 2].map(|n| PresenceChange::Arrived(agent(n)))));
    world.pass(4).await;
    world.stops[0].cancel();
    world.pass(20).await;
    assert!(world.nodes[1].is_present(agent(1)), "its time to come back is not over");
    world.nodes[1].joined(agent(2));
    world.pass(20).await;
    assert_eq!(changes.try_recv(), Ok(PresenceChange::Lost(agent(1))));
    assert!(changes.try_recv().is_err(), "who came back was never lost");
}

#[tokio::test]
async fn an_outage_of_the_signals_loses_nobody() {
    let now = Arc::new(AtomicU64::new(1_000_000));
    let at = now.clone();
    let clock = Clock::from_fn(move || at.load(Ordering::Relaxed));
    let mut elsewhere = nodes::Nodes::default();
    elsewhere.echoed(clock.now());
    elsewhere.announced(2, HashSet::from([agent(1)]), clock.now());
    now.fetch_add(3_600_000, Ordering::Relaxed);
    assert!(elsewhere.silent(clock.now(), 30_000).is_empty(), "nothing was heard, not even itself");
    elsewhere.echoed(clock.now());
    assert!(elsewhere.silent(clock.now(), 30_000).is_empty(), "the other has its time again");
    for _ in 0..31 {
        now.fetch_add(1_000, Ordering::Relaxed);
        elsewhere.echoed(clock.now());
    }
    assert_eq!(elsewhere.silent(clock.now(), 30_000), [(agent(1), false)]);
}

#[tokio::test]
async fn a_new_node_knows_at_once_who_is_there() {
    let signals = Signals::between(2);
    let clock = Clock::from_fn(|| 1_000_000);
    let starts = |signals: &Arc<Signals>| {
        let node = Presence::new(clock.clone(), 30_000, Some(signals.clone()));
        let running = node.clone();
        runtime::spawn(async move { running.run(CancellationToken::new()).await });
        node
    };
    let mut heard = signals[1].hear();
    starts(&signals[0]).joined(agent(1));
    let announced = async { while !heard.recv().await.unwrap().text.contains("[\"1\"]") {} };
    tokio::time::timeout(Duration::from_secs(5), announced).await.expect("announced in time");
    let asked = std::time::Instant::now();
    let mut changes = starts(&signals[1]).changes();
    assert_eq!(told(&mut changes).await, PresenceChange::Arrived(agent(1)));
    assert!(asked.elapsed() < Duration::from_secs(1), "only when it was due anyway");
}
