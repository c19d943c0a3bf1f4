//! What every stream must keep, told as tests: redelivery, duplicates, restarts, concurrency,
//! tails. Each function gets an opener; calling it again after the former handle was dropped is a
//! restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Receipt, Stream, Tail, Told};
use crate::domain::event::{CloseReason, Event, EventBody, NewEvent, QueueCause, TransferTarget};
use crate::domain::ids::{AgentId, ConversationId, SiteId, TeamId, VisitorId};
use crate::domain::people::Party;

/// A conversation's id.
pub(super) fn talk(number: u64) -> ConversationId {
    ConversationId::new(number).unwrap()
}

/// Whether it was appended before the tails of its test were opened.
fn is_before(event: &Event) -> bool {
    event.key.as_ref().is_some_and(|key| key.as_str() == "before")
}

/// A visitor's message.
pub(super) fn says(conversation: ConversationId, key: &str, text: &str) -> NewEvent {
    let body = EventBody::Message { text: text.into(), masked: false, file: None };
    event(conversation, visitor(5), key, body)
}

pub(super) fn event(
    conversation: ConversationId,
    from: Party,
    key: &str,
    body: EventBody,
) -> NewEvent {
    NewEvent { conversation, from, key: key.parse().unwrap(), body }
}

pub(super) fn visitor(number: u64) -> Party {
    Party::Visitor(VisitorId::new(number).unwrap())
}

fn agent(number: u64) -> AgentId {
    AgentId::new(number).unwrap()
}

fn seqs(events: &[Arc<Event>]) -> Vec<u64> {
    events.iter().map(|e| e.seq).collect()
}

pub(super) async fn hear(tail: &mut Tail, count: usize) -> Vec<Arc<Event>> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let told = tokio::time::timeout(Duration::from_secs(10), tail.recv()).await;
        match told.expect("the tail is not late").expect("the tail is open") {
            // A tail may begin with what was appended just before it was opened.
            Told::Events(batch) => heard.extend(batch.iter().filter(|e| !is_before(e)).cloned()),
            Told::Missed => panic!("nothing was cut, so nothing may be missed"),
        }
    }
    heard
}

pub(super) async fn numbers_are_dense_and_in_order(open: impl AsyncFn() -> Arc<dyn Stream>) {
    let stream = open().await;
    assert_eq!(stream.head(talk(1)).await.unwrap(), 0);
    for n in 1..=5 {
        for id in [talk(1), talk(2)] {
            let receipt = stream.append(says(id, &format!("k{n}"), "x")).await.unwrap();
            assert_eq!((receipt.seq, receipt.duplicate), (n, false));
        }
    }
    assert_eq!(stream.head(talk(1)).await.unwrap(), 5);
    assert_eq!(seqs(&stream.read(talk(2), 0, 100).await.unwrap()), [1, 2, 3, 4, 5]);
}

pub(super) async fn reads_page_by_page(open: impl AsyncFn() -> Arc<dyn Stream>) {
    let stream = open().await;
    for n in 1..=10 {
        stream.append(says(talk(1), &format!("k{n}"), "x")).await.unwrap();
    }
    assert_eq!(seqs(&stream.read(talk(1), 0, 4).await.unwrap()), [1, 2, 3, 4]);
    assert_eq!(seqs(&stream.read(talk(1), 4, 4).await.unwrap()), [5, 6, 7, 8]);
    assert_eq!(seqs(&stream.read(talk(1), 8, 4).await.unwrap()), [9, 10]);
    assert!(stream.read(talk(1), 10, 4).await.unwrap().is_empty());
    assert!(stream.read(talk(1), u64::MAX, 4).await.unwrap().is_empty());
    assert!(stream.read(talk(1), 0, 0).await.unwrap().is_empty());
    assert!(stream.read(talk(9), 0, 4).await.unwrap().is_empty());
}

pub(super) async fn the_same_key_is_kept_once(open: impl AsyncFn() -> Arc<dyn Stream>) {
    let stream = open().await;
    let first = stream.append(says(talk(1), "k", "one")).await.unwrap();
    let other = stream.append(says(talk(1), "other", "two")).await.unwrap();
    let again = stream.append(says(talk(1), "k", "changed")).await.unwrap();
    assert_eq!(again, Receipt { duplicate: true, ..first });
    let next = stream.append(says(talk(1), "next", "three")).await.unwrap();
    assert_eq!((first.seq, other.seq, next.seq), (1, 2, 3), "a duplicate consumes no number");
    let events = stream.read(talk(1), 0, 10).await.unwrap();
    assert_eq!(
        events[0].body,
        EventBody::Message { text: "one".into(), masked: false, file: None }
    );
}

pub(super) async fn a_key_belongs_to_one_sender_in_one_conversation(
    open: impl AsyncFn() -> Arc<dyn Stream>,
) {
    let stream = open().await;
    let body = || EventBody::Note { text: "x".into() };
    let mut kept = 0;
    for id in [talk(1), talk(2)] {
        for from in [visitor(5), visitor(6), Party::Agent(agent(5)), Party::System] {
            kept +=
                u64::from(!stream.append(event(id, from, "k", body())).await.unwrap().duplicate);
        }
    }
    assert_eq!(kept, 8);
}

pub(super) async fn redelivery_after_a_restart_gets_the_first_receipt(
    open: impl AsyncFn() -> Arc<dyn Stream>,
) {
    let stream = open().await;
    let first = stream.append(says(talk(1), "k", "one")).await.unwrap();
    drop(stream);
    let again = open().await.append(says(talk(1), "k", "one")).await.unwrap();
    assert_eq!(again, Receipt { duplicate: true, ..first });
}

pub(super) async fn numbers_go_on_after_a_restart(open: impl AsyncFn() -> Arc<dyn Stream>) {
    for round in 0..4 {
        let stream = open().await;
        for n in 1..=3 {
            let receipt = stream.append(says(talk(1), &format!("{round}.{n}"), "x")).await.unwrap();
            assert_eq!(receipt.seq, round * 3 + n);
        }
    }
    assert_eq!(open().await.read(talk(1), 0, 100).await.unwrap().len(), 12);
}

pub(super) async fn a_thousand_appends_at_once_are_dense(open: impl AsyncFn() -> Arc<dyn Stream>) {
    let stream = open().await;
    let mut tasks = JoinSet::new();
    for n in 0..1_000_u64 {
        let stream = Arc::clone(&stream);
        tasks.spawn(async move {
            let id = talk(n % 2 + 1);
            (id, stream.append(says(id, &format!("k{n}"), "x")).await.unwrap())
        });
    }
    let mut receipts: BTreeMap<ConversationId, Vec<u64>> = BTreeMap::new();
    for (id, receipt) in tasks.join_all().await {
        assert!(!receipt.duplicate);
        receipts.entry(id).or_default().push(receipt.seq);
    }
    for (id, mut got) in receipts {
        got.sort_unstable();
        assert_eq!(got, (1..=500).collect::<Vec<_>>());
        assert_eq!(seqs(&stream.read(id, 0, 1_000).await.unwrap()), got);
    }
}

pub(super) async fn racing_duplicates_share_one_receipt(open: impl AsyncFn() -> Arc<dyn Stream>) {
    let stream = open().await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let stream = Arc::clone(&stream);
        tasks.spawn(async move { stream.append(says(talk(1), "k", "x")).await.unwrap() });
    }
    let receipts = tasks.join_all().await;
    assert!(receipts.iter().all(|r| r.seq == 1 && r.at == receipts[0].at));
    assert_eq!(receipts.iter().filter(|r| !r.duplicate).count(), 1);
    assert_eq!(stream.head(talk(1)).await.unwrap(), 1);
}

pub(super) async fn tails_see_everything_in_order(open: impl AsyncFn() -> Arc<dyn Stream>) {
    let stream = open().await;
    stream.append(says(talk(1), "before", "x")).await.unwrap();
    let (mut one, mut two) = (stream.tail(), stream.tail());
    let mut tasks = JoinSet::new();
    for n in 0..200 {
        let stream = Arc::clone(&stream);
        tasks.spawn(async move {
            stream.append(says(talk(n % 3 + 1), &format!("k{n}"), "x")).await.unwrap();
            stream.append(says(talk(n % 3 + 1), &format!("k{n}"), "again")).await.unwrap();
        });
    }
    let heard = hear(&mut one, 200).await;
    assert_eq!(hear(&mut two, 200).await, heard);
    tasks.join_all().await;
    let new = |e: &&Arc<Event>| !is_before(e);
    for id in [talk(1), talk(2), talk(3)] {
        let stored = stream.read(id, 0, 500).await.unwrap();
        let stored: Vec<_> = stored.iter().filter(new).cloned().collect();
        let told: Vec<_> = heard.iter().filter(|e| e.conversation == id).cloned().collect();
        assert_eq!(told, stored, "a duplicate is told once, the rest in order");
    }
}

pub(super) async fn a_dropped_tail_holds_nobody_up(open: impl AsyncFn() -> Arc<dyn Stream>) {
    let stream = open().await;
    drop(stream.tail());
    let mut kept = stream.tail();
    for n in 1..=600 {
        let append = stream.append(says(talk(1), &format!("k{n}"), "x"));
        tokio::time::timeout(Duration::from_secs(10), append).await.unwrap().unwrap();
        hear(&mut kept, 1).await;
    }
}

pub(super) async fn an_append_completes_when_its_caller_leaves(
    open: impl AsyncFn() -> Arc<dyn Stream>,
) {
    let stream = open().await;
    let mut tail = stream.tail();
    let append = stream.append(says(talk(1), "k", "x"));
    // Polled once, then dropped.
    let left = tokio::time::timeout(Duration::ZERO, append).await;
    drop(left);
    assert_eq!(hear(&mut tail, 1).await[0].seq, 1);
    assert!(stream.append(says(talk(1), "k", "x")).await.unwrap().duplicate);
}

pub(super) async fn every_kind_of_event_comes_back_as_it_was(
    open: impl AsyncFn() -> Arc<dyn Stream>,
) {
    let team = TeamId::new(i64::MAX as u64).unwrap();
    let opened = EventBody::Opened {
        site: SiteId::new(1).unwrap(),
        visitor: VisitorId::new(2).unwrap(),
        fields: [("name".to_owned(), "李雷 \"x\"".to_owned())].into(),
        page: Some("https://shop.example/?a=1".into()),
    };
    let bodies = [
        opened,
        EventBody::Queued { cause: QueueCause::AgentLost },
        EventBody::Assigned { agent: agent(3), name: "韩梅梅".into(), decision: None },
        EventBody::Message { text: "你好 👋\n\u{0}".into(), masked: true, file: None },
        EventBody::Note { text: String::new() },
        EventBody::Transferred {
            to: TransferTarget::Team(team),
            name: "VIP".into(),
            note: Some("soon".into()),
        },
        EventBody::Rated { score: 5, comment: None },
        EventBody::Closed { reason: CloseReason::LeftQueue },
    ];
    let senders = [Party::System, visitor(i64::MAX as u64), Party::Agent(agent(3))];
    let stream = open().await;
    let mut tail = stream.tail();
    for (n, body) in bodies.iter().enumerate() {
        let from = senders[n % 3];
        stream.append(event(talk(1), from, &format!("k{n}"), body.clone())).await.unwrap();
    }
    let told = hear(&mut tail, bodies.len()).await;
    drop((stream, tail));
    let stored = open().await.read(talk(1), 0, 100).await.unwrap();
    assert_eq!(stored, told, "told and stored are the same");
    for (n, (event, body)) in stored.iter().zip(&bodies).enumerate() {
        assert_eq!((&event.body, event.from), (body, senders[n % 3]));
        assert_eq!(event.key.is_none(), event.from == Party::System);
        assert!(event.at > 0);
    }
}
