//! The service against real storage and a real stream.

pub(crate) mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::domain::agent::Status;
use crate::domain::conversation::State;
use crate::domain::event::{CloseReason, Event, EventBody, NewEvent, QueueCause};
use crate::domain::ids::ConversationId;
use crate::domain::people::{Party, Role};
use crate::domain::refusal::Code;
use world::{World, key, open_with};

fn say(text: &str) -> Ask {
    Ask::Say { text: text.into(), note: false, file: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_draft() {
    let world = World::new().await;
    let li = world.agent("li", 5).await;
    let visitor = world.visitor().await;
    let opened = world.service.open(&visitor, open_with("k1", Some("hello"))).await.unwrap();
    let again = world.service.open(&visitor, open_with("k1", Some("hello"))).await.unwrap();
    assert_eq!((opened.0, opened.1.receipt.seq), (again.0, again.1.receipt.seq));
    assert_eq!(opened.1.receipt.seq, 2, "the key belongs to the message, after `opened`");
    let id = opened.0;

    for (n, who, ask) in [
        (0, &li, Ask::Take),
        (1, &visitor, say("one")),
        (2, &li, say("two")),
        (3, &li, Ask::Close),
        (4, &visitor, Ask::Rate { score: 5, comment: None }),
    ] {
        let key = key(&format!("draft{n}"));
        let first = world.service.ask(who, id, key.clone(), ask.clone()).await.unwrap();
        let second = world.service.ask(who, id, key, ask).await.unwrap();
        assert_eq!(first.receipt.seq, second.receipt.seq, "draft {n}");
        assert_eq!(first.receipt.at, second.receipt.at, "draft {n}");
        assert!(second.receipt.duplicate, "draft {n}");
    }
    // Forbidden by now, but it was done: the receipt comes back.
    let late = world.service.ask(&visitor, id, key("draft1"), say("one")).await.unwrap();
    assert!(late.receipt.duplicate);
    let new = world.service.ask(&visitor, id, key("new"), say("late")).await;
    assert_eq!(new, Err(Refusal::Conflict("the conversation is closed")));
    let events = world.stream.read(id, 0, 100).await.unwrap();
    assert_eq!(events.len(), 8, "opened message queued assigned one two closed rated");
    let settled = async {
        while !world.storage.unsettled(Duration::ZERO).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), settled).await.expect("settled right after");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_do_what() {
    let world = World::new().await;
    let li = world.agent("li", 5).await;
    let wu = world.agent("wu", 5).await;
    let boss = world.with_role("boss", Role::Supervisor).await;
    let visitor = world.visitor().await;
    let stranger = world.visitor().await;
    let id = world.opened(&visitor).await;

    let refused = [
        (&stranger, say("hi"), Code::NotFound),
        (&stranger, Ask::Close, Code::NotFound),
        (&li, say("not mine yet"), Code::Forbidden),
        (&visitor, Ask::Take, Code::Forbidden),
        (&visitor, Ask::Say { text: "n".into(), note: true, file: None }, Code::Forbidden),
        (&li, Ask::Rate { score: 5, comment: None }, Code::Forbidden),
        (&visitor, Ask::Rate { score: 5, comment: None }, Code::Conflict),
        (&visitor, say("   "), Code::Invalid),
        (&visitor, say(&"x".repeat(5000)), Code::TooLarge),
    ];
    for (n, (who, ask, code)) in refused.into_iter().enumerate() {
        let got = world.service.ask(who, id, key(&format!("no{n}")), ask.clone()).await;
        assert_eq!(got.map_err(|refusal| refusal.code()), Err(code), "{who:?} {ask:?}");
    }
    let hidden = |seen: Result<_, Refusal>| seen.map(drop).map_err(|refusal| refusal.code());
    assert_eq!(hidden(world.service.visible(&stranger, id).await), Err(Code::NotFound));
    assert!(world.service.visible(&li, id).await.is_ok(), "waits for its team");

    world.service.ask(&li, id, key("take"), Ask::Take).await.unwrap();
    let seen = hidden(world.service.visible(&wu, id).await);
    assert_eq!(seen, Err(Code::NotFound), "another agent has it");
    let got = world.service.ask(&wu, id, key("wu"), say("hi")).await;
    assert_eq!(got, Err(Refusal::Forbidden("another agent has it")));
    world
        .service
        .ask(&boss, id, key("b"), Ask::Say { text: "psst".into(), note: true, file: None })
        .await
        .unwrap();
    world.service.ask(&boss, id, key("b2"), Ask::Take).await.unwrap();
    assert_eq!(world.row(id).await.agent, Some(world.id_of(&boss)));

    let seen = world.service.history(&visitor, id, 0, 100).await.unwrap();
    let note = |body: &EventBody| matches!(body, EventBody::Note { .. });
    assert!(!seen.iter().any(|event| note(&event.body)), "visitors see no notes");
    let seen = world.service.history(&boss, id, 0, 100).await.unwrap();
    assert!(seen.iter().any(|event| note(&event.body)));
    let seqs: Vec<_> = seen.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "agents see no holes");
}

#[tokio::test(flavor = "multi_thread")]
async fn capacity_holds_for_taking_and_handing_on() {
    let world = World::new().await;
    let li = world.agent("li", 1).await;
    let wu = world.agent("wu", 1).await;
    let visitor = world.visitor().await;
    let (a, b) = (world.opened(&visitor).await, world.opened(&visitor).await);
    world.service.ask(&li, a, key("a"), Ask::Take).await.unwrap();
    let full = world.service.ask(&li, b, key("b"), Ask::Take).await;
    assert!(matches!(full, Err(Refusal::Conflict(_))), "{full:?}");
    world.service.ask(&wu, b, key("c"), Ask::Take).await.unwrap();
    let to = TransferTarget::Agent(world.id_of(&wu));
    let full = world.service.ask(&li, a, key("d"), Ask::Transfer { to, note: None }).await;
    assert!(matches!(full, Err(Refusal::Conflict(_))), "{full:?}");
    world.service.ask(&wu, b, key("e"), Ask::Close).await.unwrap();
    world.service.ask(&li, a, key("f"), Ask::Transfer { to, note: None }).await.unwrap();
    assert_eq!(world.row(a).await.agent, Some(world.id_of(&wu)));
}

#[tokio::test(flavor = "multi_thread")]
async fn going_offline_gives_everything_back() {
    let world = World::new().await;
    let li = world.agent("li", 5).await;
    let visitor = world.visitor().await;
    let id = world.opened(&visitor).await;
    world.service.ask(&li, id, key("t"), Ask::Take).await.unwrap();
    world.service.set_status(&li, Status::Offline).await.unwrap();
    let row = world.row(id).await;
    assert_eq!((row.state, row.agent), (State::Waiting, None));
    let last = world.stream.read(id, 0, 100).await.unwrap().pop().unwrap();
    assert_eq!(last.body, EventBody::Queued { cause: QueueCause::AgentLeft });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_is_checked() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let form = |topic: &str| BTreeMap::from([("topic".to_owned(), topic.to_owned())]);
    let with = |fields| Open { fields, ..open_with("f", None) };
    for fields in [form("unknown"), BTreeMap::from([("other".to_owned(), "x".to_owned())])] {
        let got = world.service.open(&visitor, with(fields)).await;
        assert!(matches!(got, Err(Refusal::Invalid { field: "fields", .. })), "{got:?}");
    }
    let (id, _) = world.service.open(&visitor, with(form("billing"))).await.unwrap();
    let needs = world.row(id).await.needs;
    assert_eq!(needs.iter().map(|need| need.skill.as_str()).collect::<Vec<_>>(), ["billing"]);
    let silent = Open { offline: true, ..open_with("o", None) };
    let got = world.service.open(&visitor, silent).await;
    assert!(matches!(got, Err(Refusal::Invalid { field: "text", .. })), "{got:?}");
    let later = Open { offline: true, ..open_with("o", Some("call me")) };
    let (id, _) = world.service.open(&visitor, later).await.unwrap();
    assert!(world.row(id).await.offline);
    assert!(!world.storage.queue(None).await.unwrap().iter().any(|row| row.id == id));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_is_told_at_start() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let row = world.row(world.opened(&visitor).await).await;
    let mut left = row.clone();
    left.id = ConversationId::new(row.id.get() + 1).unwrap();
    let body = EventBody::Queued { cause: QueueCause::Opened };
    let event = NewEvent { conversation: left.id, from: Party::System, key: key("c1-2"), body };
    world.storage.open(&left, std::slice::from_ref(&event)).await.unwrap();
    for _ in 0..2 {
        world.service.recover().await.unwrap();
        assert_eq!(world.stream.head(left.id).await.unwrap(), 1);
    }
    assert_eq!(world.storage.unsettled(Duration::ZERO).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_nodes_find_at_once_is_told_once() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let row = world.row(world.opened(&visitor).await).await;
    let body = || EventBody::Queued { cause: QueueCause::Transferred };
    let told =
        |key_| NewEvent { conversation: row.id, from: Party::System, key: key(key_), body: body() };
    let head = world.stream.head(row.id).await.unwrap();
    let mut next = row.clone();
    for events in [vec![told("c2-0"), told("c2-1")], vec![told("c3-0")]] {
        next.version += 1;
        assert!(world.storage.change(&next, &events).await.unwrap());
    }
    // One of them is still being told by the node that stored it.
    world.stream.append(told("c2-0")).await.unwrap();
    let both = tokio::join!(world.service.recover(), world.service.recover());
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(world.stream.head(row.id).await.unwrap(), head + 3);
    let events = world.stream.read(row.id, head, 10).await.unwrap();
    assert!(events.iter().all(|event| event.body == body()), "{events:?}");
    assert_eq!(world.storage.unsettled(Duration::ZERO).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_while_its_answer_was_lost_is_not_done_again() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let row = world.row(world.opened(&visitor).await).await;
    let by = |conversation, words, body| NewEvent {
        conversation,
        from: visitor.party(),
        key: key(words),
        body,
    };
    let mut closed = row.clone();
    (closed.version, closed.state) = (row.version + 1, State::Closed);
    let over = by(row.id, "closes", EventBody::Closed { reason: CloseReason::LeftQueue });
    assert!(world.storage.change(&closed, &[over]).await.unwrap());
    let again = world.service.ask(&visitor, row.id, key("closes"), Ask::Close).await.unwrap();
    assert_eq!(again.receipt.seq, world.stream.head(row.id).await.unwrap());
    let other = world.service.ask(&visitor, row.id, key("closes-too"), Ask::Close).await;
    assert!(matches!(other, Err(Refusal::Conflict(_))), "{other:?}");

    let mut new = row.clone();
    new.id = ConversationId::new(row.id.get() + 1).unwrap();
    let (site, fields) = (row.site, BTreeMap::new());
    let opened = EventBody::Opened { site, visitor: row.visitor, fields, page: None };
    world.storage.open(&new, &[by(new.id, "opens", opened)]).await.unwrap();
    let again = world.service.open(&visitor, open_with("opens", None)).await.unwrap();
    assert_eq!(again.0, new.id, "no second one");
    assert_eq!(world.storage.unsettled(Duration::ZERO).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_fast_is_refused_with_when() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let id = world.opened(&visitor).await;
    let mut refused = None;
    for n in 0..200 {
        let sent = world.service.ask(&visitor, id, key(&format!("m{n}")), say("x")).await;
        if let Err(refusal) = sent {
            refused = Some(refusal);
            break;
        }
    }
    let wait = refused.and_then(|refusal| refusal.retry_after_ms());
    assert!(wait.is_some_and(|wait| wait > 0), "{wait:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_in_memory_follows_events_and_is_changed_only_as_stored() {
    let world = World::new().await;
    let visitor = world.visitor().await;
    let id = world.opened(&visitor).await;
    let first = Arc::new(world.row(id).await);
    let mut second = (*first).clone();
    (second.version, second.state) = (first.version + 1, State::Active);
    let second = Arc::new(second);
    let event =
        |seq, body| Event { conversation: id, seq, at: 1, from: Party::System, key: None, body };
    let agent = world.id_of(&world.agent("li", 5).await);
    let assigned =
        |seq| event(seq, EventBody::Assigned { agent, name: "li".into(), decision: None });
    let queued = |seq| event(seq, EventBody::Queued { cause: QueueCause::Opened });
    let known = members::Known::new();
    let state = |exact| known.row(id, exact).map(|row| row.state);

    known.tell(&assigned(1));
    assert_eq!(state(false), None, "nothing is made of events alone");
    known.keep(&first, 3);
    known.tell(&queued(3));
    assert_eq!(state(true), Some(State::Waiting), "it knew that");
    known.tell(&assigned(4));
    assert_eq!((state(false), state(true)), (Some(State::Active), None), "and this it is told");
    known.keep(&first, 3);
    assert_eq!(state(true), None, "which is later than what was just changed here");
    known.keep(&second, 0);
    assert_eq!(state(true), Some(State::Active), "read anew");
    known.keep(&first, 0);
    assert_eq!(state(true), Some(State::Active), "nothing older takes its place");
    known.doubt(id);
    assert_eq!((state(false), state(true)), (Some(State::Active), None));
}
