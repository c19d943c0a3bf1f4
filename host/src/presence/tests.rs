//! Presence: arrival, grace, return and orderly leaving.

use super::*;

fn agent(number: u64) -> AgentId {
    AgentId::new(number).unwrap()
}

#[tokio::test]
async fn a_vanished_agent_is_kept_for_the_grace_period() {
    let presence = Presence::new(Clock::from_fn(|| 1000), 50);
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
    let presence = Presence::new(clock, 30_000);
    let mut changes = presence.changes();
    presence.joined(agent(1));
    presence.left(agent(1), false);
    let missed = presence.here.lock()[&agent(1)].missed_since.unwrap();
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
    let presence = Presence::new(Clock::from_fn(|| 1), 30_000);
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
