//! Conversations: compare-and-set, claims, recovery, lists.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{agent, closed, furnish, given, team_id, told, waiting};
use crate::domain::conversation::{Conversation, Declined, State};
use crate::domain::event::NewEvent;
use crate::domain::ids::{ConversationId, DecisionId, TeamId};
use crate::domain::inspection::{Finding, Item, Report, Scorecard, Severity};
use crate::domain::people::Team;
use crate::domain::plugin::{Outcome, RoutingInput};
use crate::domain::routing::{Decision, Excluded, SkillNeed};
use crate::storage::{Claim, Handle, Search, StorageError};

/// Everything that is not known to be told, in order.
async fn untold(storage: &Handle) -> Vec<NewEvent> {
    let changes = storage.unsettled(Duration::ZERO).await.unwrap();
    changes.into_iter().flat_map(|change| change.events).collect()
}

fn ids(rows: &[Conversation]) -> Vec<u64> {
    rows.iter().map(|row| row.id.get()).collect()
}

pub(in crate::storage) async fn a_row_comes_back_as_it_was(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    storage.add_agent(&agent(1, 1), "x").await.unwrap();
    let row = waiting(7);
    storage.open(&row, &[told(&row, "v1.0")]).await.unwrap();
    let again = storage.open(&row, &[]).await;
    assert!(matches!(again, Err(StorageError::Taken("id"))), "{again:?}");
    let next = Conversation {
        verified: true,
        needs: vec![SkillNeed { skill: "refunds".into(), level: 2, required: true }],
        declined: vec![Declined { agent: agent(1, 1).id, at: 7 }],
        rating: Some(4),
        closed_at: Some(99),
        ..given(&row, agent(1, 1).id, 50)
    };
    assert!(storage.change(&next, &[]).await.unwrap());
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.conversation(row.id).await.unwrap(), Some(next));
    assert_eq!(storage.conversation(ConversationId::new(8).unwrap()).await.unwrap(), None);
}

pub(in crate::storage) async fn one_of_many_changes_wins(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    let row = waiting(1);
    storage.open(&row, &[]).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..20_u8 {
        let storage = Arc::clone(&storage);
        let next = Conversation { priority: n % 10, version: 2, ..row.clone() };
        tasks.spawn(async move {
            let won = storage.change(&next, &[told(&next, &format!("v2.{n}"))]).await.unwrap();
            won.then_some((next, format!("v2.{n}")))
        });
    }
    let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let (stored, key) = &winners[0];
    assert_eq!(storage.conversation(row.id).await.unwrap().as_ref(), Some(stored));
    let pending = untold(&storage).await;
    assert_eq!(pending, [told(stored, key)], "what lost tells nothing");
}

pub(in crate::storage) async fn unsettled_events_survive_until_settled(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    furnish(&storage).await;
    let (a, b) = (waiting(2), waiting(1));
    storage.open(&a, &[told(&a, "v1.0"), told(&a, "v1.1")]).await.unwrap();
    storage.open(&b, &[told(&b, "v1.0")]).await.unwrap();
    let next = closed(&a, 9);
    storage.change(&next, &[told(&a, "v2.0")]).await.unwrap();
    drop(storage);
    let storage = open().await;
    let left = [told(&a, "v1.0"), told(&a, "v1.1"), told(&b, "v1.0"), told(&a, "v2.0")];
    assert_eq!(untold(&storage).await, left, "oldest first");
    storage.settled(a.id, 1).await.unwrap();
    storage.settled(a.id, 1).await.unwrap();
    storage.settled(b.id, 1).await.unwrap();
    drop(storage);
    let storage = open().await;
    assert_eq!(untold(&storage).await, left[3..]);
    storage.settled(a.id, 2).await.unwrap();
    assert!(untold(&storage).await.is_empty());
}

pub(in crate::storage) async fn claims_at_once_never_exceed_the_capacity(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    furnish(&storage).await;
    let one = agent(1, 3);
    storage.add_agent(&one, "x").await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 1..=20 {
        let row = waiting(n);
        storage.open(&row, &[]).await.unwrap();
        let storage = Arc::clone(&storage);
        tasks.spawn(async move {
            let next = given(&row, agent(1, 3).id, 5_000);
            storage.claim(&next, &[told(&next, "v2.0")], None).await.unwrap()
        });
    }
    let claims = tasks.join_all().await;
    assert_eq!(claims.iter().filter(|c| **c == Claim::Won).count(), 3);
    assert_eq!(claims.iter().filter(|c| **c == Claim::AgentFull).count(), 17);
    assert_eq!(storage.loads().await.unwrap(), [(one.id, 3)]);
    assert_eq!(untold(&storage).await.len(), 3);
    assert_eq!(storage.queue(None).await.unwrap().len(), 17, "what did not fit still waits");
    assert_eq!(storage.agent(one.id).await.unwrap().unwrap().idle_since, 5_000);

    let held = Search { agent: Some(one.id), limit: 10, ..Search::default() };
    let held = storage.search(&held).await.unwrap().remove(0);
    storage.change(&closed(&held, 9), &[]).await.unwrap();
    let next = given(&storage.queue(None).await.unwrap()[0], one.id, 6_000);
    assert_eq!(storage.claim(&next, &[], None).await.unwrap(), Claim::Won, "room again");
}

pub(in crate::storage) async fn a_conversation_is_claimed_once(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    let row = waiting(1);
    storage.open(&row, &[]).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 1..=20 {
        storage.add_agent(&agent(n, 5), "x").await.unwrap();
        let (storage, next) = (Arc::clone(&storage), given(&row, agent(n, 5).id, 1));
        tasks.spawn(async move { storage.claim(&next, &[], None).await.unwrap() });
    }
    let claims = tasks.join_all().await;
    assert_eq!(claims.iter().filter(|c| **c == Claim::Won).count(), 1);
    assert_eq!(claims.iter().filter(|c| **c == Claim::Lost).count(), 19);
    let nobody = given(&closed(&row, 1), agent(99, 1).id, 1);
    assert_ne!(storage.claim(&nobody, &[], None).await.ok(), Some(Claim::Won));
}

pub(in crate::storage) async fn the_queue_is_in_order(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    let other = Team { id: TeamId::new(2).unwrap(), name: "VIP".into() };
    storage.add_team(&other).await.unwrap();
    let rows = [
        waiting(5),
        Conversation { waiting_since: 5, ..waiting(4) },
        Conversation { priority: 3, ..waiting(9) },
        Conversation { offline: true, ..waiting(1) },
        Conversation { team: other.id, ..waiting(6) },
        closed(&waiting(2), 3),
    ];
    for row in &rows {
        storage.open(row, &[]).await.unwrap();
    }
    assert_eq!(ids(&storage.queue(None).await.unwrap()), [9, 4, 5, 6]);
    assert_eq!(ids(&storage.queue(Some(team_id())).await.unwrap()), [9, 4, 5]);
    assert_eq!(ids(&storage.queue(Some(other.id)).await.unwrap()), [6]);
}

pub(in crate::storage) async fn searches_page_from_the_newest(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    storage.add_agent(&agent(1, 9), "x").await.unwrap();
    for n in 1..=10 {
        storage.open(&waiting(n), &[]).await.unwrap();
    }
    for n in [2, 4, 6] {
        storage.claim(&given(&waiting(n), agent(1, 9).id, n), &[], None).await.unwrap();
    }
    let found = async |search: Search| ids(&storage.search(&search).await.unwrap());
    let any = Search { limit: 4, ..Search::default() };
    assert_eq!(found(any.clone()).await, [10, 9, 8, 7]);
    assert_eq!(found(Search { before: Some(waiting(7).id), ..any.clone() }).await, [6, 5, 4, 3]);
    assert_eq!(found(Search { limit: 0, ..any.clone() }).await, [10], "at least one");
    let mine = Search { agent: Some(agent(1, 9).id), state: Some(State::Active), ..any.clone() };
    assert_eq!(found(mine.clone()).await, [6, 4, 2]);
    let teams = vec![team_id(), TeamId::new(9).unwrap()];
    let visitor = Some(waiting(1).visitor);
    assert_eq!(found(Search { teams, visitor, ..any.clone() }).await, [10, 9, 8, 7]);
    let elsewhere = vec![TeamId::new(9).unwrap()];
    let nowhere = Search { teams: elsewhere, ..any.clone() };
    assert!(found(nowhere.clone()).await.is_empty());
    let count = async |search: &Search| storage.count(search).await.unwrap();
    assert_eq!(count(&Search { before: Some(waiting(7).id), ..any }).await, 10, "on all pages");
    assert_eq!([count(&mine).await, count(&nowhere).await], [3, 0]);
}

pub(in crate::storage) async fn decisions_are_kept_whole(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    let row = waiting(1);
    storage.open(&row, &[]).await.unwrap();
    let decisions = [decision(&row, 2, 10), decision(&row, 1, 20)];
    for decision in &decisions {
        storage.record_decision(decision).await.unwrap();
    }
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.decisions(row.id).await.unwrap(), decisions, "oldest first");
    assert_eq!(storage.decision(decisions[1].id).await.unwrap().as_ref(), Some(&decisions[1]));
    assert_eq!(storage.decision(DecisionId::new(9).unwrap()).await.unwrap(), None);
}

pub(in crate::storage) async fn a_claim_and_its_decision_are_one_commit(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    furnish(&storage).await;
    storage.add_agent(&agent(1, 1), "x").await.unwrap();
    storage.add_agent(&agent(2, 5), "x").await.unwrap();
    let rows = [waiting(1), waiting(2)];
    for row in &rows {
        storage.open(row, &[]).await.unwrap();
    }
    let claim = async |row: &Conversation, to: u64, decision: &Decision| {
        storage.claim(&given(row, agent(to, 1).id, 1), &[], Some(decision)).await
    };
    let won = decision(&rows[0], 1, 10);
    assert_eq!(claim(&rows[0], 1, &won).await.unwrap(), Claim::Won);
    let full = claim(&rows[1], 1, &decision(&rows[1], 2, 20)).await;
    assert_eq!(full.unwrap(), Claim::AgentFull);
    let lost = claim(&rows[0], 2, &decision(&rows[0], 3, 30)).await;
    assert_eq!(lost.unwrap(), Claim::Lost);
    let unkept = claim(&rows[1], 2, &decision(&rows[1], 1, 40)).await;
    assert!(unkept.is_err(), "a decision of this id is there: {unkept:?}");
    assert_eq!(storage.conversation(rows[1].id).await.unwrap().as_ref(), Some(&rows[1]));
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.decisions(rows[0].id).await.unwrap(), [won]);
    assert!(storage.decisions(rows[1].id).await.unwrap().is_empty());
}

pub(in crate::storage) async fn a_turn_is_taken_with_the_decision(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    let other = Team { id: TeamId::new(2).unwrap(), name: "VIP".into() };
    storage.add_team(&other).await.unwrap();
    for (number, capacity) in [(1, 2), (2, 1), (3, 9)] {
        storage.add_agent(&agent(number, capacity), "x").await.unwrap();
    }
    assert!(storage.turns().await.unwrap().is_empty());
    let claim = async |n: u64, to: u64| {
        let team = if n > 10 { other.id } else { team_id() };
        let row = Conversation { team, ..waiting(n) };
        storage.open(&row, &[]).await.unwrap();
        let chosen = agent(to, 1).id;
        let decision = Decision { chosen: Some(chosen), ..decision(&row, n, n) };
        storage.claim(&given(&row, chosen, n), &[], Some(&decision)).await.unwrap()
    };
    let turns = async || {
        let mut turns = storage.turns().await.unwrap();
        turns.sort();
        turns.iter().map(|(team, agent)| (team.get(), agent.get())).collect::<Vec<_>>()
    };
    assert_eq!((claim(1, 1).await, claim(2, 2).await), (Claim::Won, Claim::Won));
    assert_eq!(turns().await, [(1, 2)]);
    assert_eq!(claim(11, 3).await, Claim::Won);
    assert_eq!(turns().await, [(1, 2), (2, 3)], "each team has its own");
    assert_eq!(claim(3, 1).await, Claim::Won);
    assert_eq!(claim(4, 2).await, Claim::AgentFull);
    assert_eq!(turns().await, [(1, 1), (2, 3)], "what is not won takes no turn");
    let by_hand = given(&waiting(4), agent(3, 9).id, 9);
    assert_eq!(storage.claim(&by_hand, &[], None).await.unwrap(), Claim::Won);
    storage.record_decision(&decision(&waiting(4), 5, 9)).await.unwrap();
    assert_eq!(turns().await, [(1, 1), (2, 3)], "nor what is taken by hand");
}

fn decision(row: &Conversation, id: u64, at: u64) -> Decision {
    let input = RoutingInput {
        now: at,
        seed: u64::MAX,
        conversation: row.id,
        site: row.site,
        team: row.team,
        waited_ms: 1,
        priority: 0,
        needs: vec![(0, 3, true)],
        candidates: Vec::new(),
        levels: Vec::new(),
        attrs: vec![("language".into(), "zh-CN".into())],
    };
    Decision {
        version: 1,
        id: DecisionId::new(id).unwrap(),
        at,
        conversation: row.id,
        site: row.site,
        team: row.team,
        input,
        excluded: Vec::new(),
        ranked: Vec::new(),
        factor_names: vec!["load".into()],
        passed: vec![(agent(7, 1).id, Excluded::AtCapacity)],
        chosen: None,
        generation: None,
        digest: None,
        outcome: Outcome::Absent,
        fuel: 0,
        micros: 0,
    }
}

pub(in crate::storage) async fn closed_conversations_are_inspected_once(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    furnish(&storage).await;
    for n in 1..=3 {
        storage.open(&waiting(n), &[]).await.unwrap();
        storage.change(&closed(&waiting(n), 100 - n), &[]).await.unwrap();
    }
    storage.open(&waiting(4), &[]).await.unwrap();
    let todo = async |limit| -> Vec<u64> {
        storage.uninspected(limit).await.unwrap().iter().map(|id| id.get()).collect()
    };
    assert_eq!(todo(10).await, [3, 2, 1]);
    assert_eq!(todo(2).await, [3, 2]);
    let (ten, ninety) = (report(3, 10), report(3, 90));
    let (first, second) = tokio::join!(storage.record_report(&ten), storage.record_report(&ninety));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first != second, "two nodes inspected it: one of them did it, told {first} {second}");
    assert_eq!(todo(10).await, [2, 1]);
    let kept = if first { ten } else { ninety };
    assert_eq!(storage.report(waiting(3).id).await.unwrap(), Some(kept.clone()));
    assert!(!storage.record_report(&report(3, 50)).await.unwrap());
    assert_eq!(storage.report(waiting(3).id).await.unwrap(), Some(kept));
    assert_eq!(storage.report(waiting(2).id).await.unwrap(), None);
    let rated = Conversation { rating: Some(5), version: 3, ..closed(&waiting(3), 97) };
    assert!(storage.change(&rated, &[]).await.unwrap());
    assert_eq!(todo(10).await, [2, 1], "a rating does not ask for a second report");
}

fn report(conversation: u64, score: u8) -> Report {
    let finding = Finding {
        rule: "gaps".into(),
        severity: Severity::Warn,
        seq: Some(3),
        span: Some((0, 4)),
        facts: vec![("gap_ms".into(), "182000".into())],
    };
    let items = vec![Item { rule: "gaps".into(), points: score, max: 100 }];
    Report {
        conversation: waiting(conversation).id,
        agent: None,
        at: 1,
        generation: None,
        card: Scorecard { score, items, findings: vec![finding] },
    }
}

pub(in crate::storage) async fn service_time_is_the_mean_of_the_last_fifty(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    furnish(&storage).await;
    storage.add_agent(&agent(1, 100), "x").await.unwrap();
    for n in 1..=60 {
        let row = waiting(n);
        storage.open(&row, &[]).await.unwrap();
        // The first ten were quick and closed long ago.
        let (from, until) = if n <= 10 { (1, n + 1) } else { (n * 10, n * 10 + 300) };
        let mine = given(&row, agent(1, 100).id, from);
        storage.claim(&mine, &[], None).await.unwrap();
        let end = closed(&mine, until);
        storage.change(&end, &[]).await.unwrap();
        if n == 4 {
            assert_eq!(storage.service_time(team_id()).await.unwrap(), None, "too few to tell");
        }
        if n == 5 {
            assert_eq!(storage.service_time(team_id()).await.unwrap(), Some(3));
        }
    }
    assert_eq!(storage.service_time(team_id()).await.unwrap(), Some(300));
    assert_eq!(storage.service_time(TeamId::new(9).unwrap()).await.unwrap(), None);
}
