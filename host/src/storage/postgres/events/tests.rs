//! The archive: nothing twice, nothing silently dropped, every month its partition.

use std::sync::Arc;

use sqlx::{query, query_scalar};
use tokio::task::JoinSet;

use super::{Archived, Source, Written};
use crate::domain::event::{CloseReason, Event, EventBody};
use crate::domain::ids::{AgentId, ConversationId, VisitorId};
use crate::domain::people::Party;
use crate::runtime::Clock;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::tests::Schema;

fn visitor() -> Party {
    Party::Visitor(VisitorId::new(7).unwrap())
}

fn talk(number: u64) -> ConversationId {
    ConversationId::new(number).unwrap()
}

fn said(conversation: u64, seq: u64, at: u64, text: &str) -> Event {
    Event {
        conversation: talk(conversation),
        seq,
        at,
        from: visitor(),
        key: Some(format!("k{seq}").parse().unwrap()),
        body: EventBody::Message { text: text.into(), masked: false, file: None },
    }
}

async fn opened() -> Option<(Schema, Archived, Postgres)> {
    let schema = Schema::new().await?;
    let sql = Postgres::open(&schema.config()).await.unwrap();
    Some((schema, Archived::new(sql.clone()), sql))
}

async fn count(sql: &Postgres, table: &'static str) -> i64 {
    let text = match table {
        "events" => "SELECT count(*) FROM events",
        "events_rest" => "SELECT count(*) FROM events_rest",
        _ => "SELECT count(*) FROM event_conflicts",
    };
    query_scalar(text).fetch_one(&sql.pool).await.unwrap()
}

fn written(added: u64, repeated: u64, conflicts: u64) -> Written {
    Written { added, repeated, conflicts }
}

#[tokio::test]
async fn events_come_back_as_they_were() {
    let Some((schema, archived, _)) = opened().await else { return };
    let now = Clock::system().now();
    let agent = Party::Agent(AgentId::new(9).unwrap());
    let closed = EventBody::Closed { reason: CloseReason::Agent };
    let events = [
        said(1, 1, now, "你好 \0 'quoted' \\ 🙂"),
        Event { from: agent, key: None, ..said(1, 2, now + 1, "hi") },
        Event { from: Party::System, key: None, body: closed, ..said(1, 3, now + 2, "") },
        said(2, 1, now, "elsewhere"),
    ];
    assert_eq!(archived.write(&events, &[]).await.unwrap(), written(4, 0, 0));
    let read: Vec<Event> =
        archived.events(talk(1), 0, 10).await.unwrap().iter().map(|e| (**e).clone()).collect();
    assert_eq!(read, events[..3]);
    let page = archived.events(talk(1), 1, 1).await.unwrap();
    assert_eq!((page.len(), page[0].seq), (1, 2));
    assert_eq!(archived.head(talk(1)).await.unwrap(), 3);
    assert_eq!(archived.head(talk(9)).await.unwrap(), 0);
    let receipt = archived.receipt(talk(1), visitor(), &"k1".parse().unwrap()).await.unwrap();
    assert_eq!(receipt, Some((1, now)));
    for (from, key) in [(agent, "k1"), (visitor(), "k9")] {
        let none = archived.receipt(talk(1), from, &key.parse().unwrap()).await.unwrap();
        assert_eq!(none, None);
    }
    schema.drop().await;
}

#[tokio::test]
async fn what_comes_twice_is_kept_once_and_what_differs_is_set_aside() {
    let Some((schema, archived, sql)) = opened().await else { return };
    let now = Clock::system().now();
    let month = 31 * 86_400_000;
    let first = [said(1, 1, now, "a"), said(1, 2, now, "b"), said(1, 2, now, "b")];
    assert_eq!(archived.write(&first, &[]).await.unwrap(), written(2, 1, 0));
    let again = [said(1, 1, now, "a"), said(1, 2, now, "other"), said(1, 3, now, "c")];
    assert_eq!(archived.write(&again, &[]).await.unwrap(), written(1, 1, 1));
    assert_eq!(archived.write(&again, &[]).await.unwrap(), written(0, 2, 0), "counted once");
    // Another time is another content, and in another partition, where no unique key would see it.
    for at in [now - month, now + month, now + 1] {
        assert_eq!(archived.write(&[said(1, 1, at, "a")], &[]).await.unwrap(), written(0, 0, 1));
    }
    let mixed = [said(2, 1, now, "x"), said(2, 1, now, "y")];
    assert_eq!(archived.write(&mixed, &[]).await.unwrap(), written(1, 0, 1));
    assert_eq!((count(&sql, "events").await, count(&sql, "event_conflicts").await), (4, 5));
    // One that comes after those behind it.
    assert_eq!(archived.write(&[said(3, 5, now, "e")], &[]).await.unwrap(), written(1, 0, 0));
    assert_eq!(archived.write(&[said(3, 4, now, "d")], &[]).await.unwrap(), written(1, 0, 0));
    assert_eq!(archived.write(&[said(3, 4, now, "d")], &[]).await.unwrap(), written(0, 1, 0));
    assert_eq!(archived.head(talk(3)).await.unwrap(), 5);
    schema.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_archives_at_once_keep_each_event_once() {
    let Some((schema, archived, sql)) = opened().await else { return };
    let now = Clock::system().now();
    let other = Archived::new(Postgres::open(&schema.config()).await.unwrap());
    let batch: Arc<[Event]> =
        (0..400).map(|n| said(n % 20 + 1, n / 20 + 1, now + n, &format!("{n}"))).collect();
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let archived = if n % 2 == 0 { archived.clone() } else { other.clone() };
        let batch = Arc::clone(&batch);
        tasks.spawn(async move {
            let mut added = 0;
            for part in batch.chunks(50 + n * 7) {
                let written = archived.write(part, &[]).await.unwrap();
                assert_eq!(written.conflicts, 0);
                added += written.added;
            }
            added
        });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u64>(), 400);
    assert_eq!((count(&sql, "events").await, count(&sql, "event_conflicts").await), (400, 0));
    schema.drop().await;
}

#[tokio::test]
async fn positions_commit_with_the_rows() {
    let Some((schema, archived, sql)) = opened().await else { return };
    let now = Clock::system().now();
    let at = |partition, source, position: &str| (partition, source, position.to_owned());
    let positions =
        [at(3, Source::Log, "1-0"), at(4, Source::Log, "2-0"), at(3, Source::Log, "1-7")];
    archived.write(&[said(1, 1, now, "a")], &positions).await.unwrap();
    archived.write(&[] as &[Event], &[at(3, Source::Journal, "88")]).await.unwrap();
    let log = archived.positions(Source::Log).await.unwrap();
    assert_eq!(log, [(3, "1-7".to_owned()), (4, "2-0".to_owned())]);
    assert_eq!(archived.positions(Source::Journal).await.unwrap(), [(3, "88".to_owned())]);
    assert!(archived.positions(Source::Begin).await.unwrap().is_empty());
    query("ALTER TABLE archive_positions ADD CHECK (position <> 'bad')")
        .execute(&sql.pool)
        .await
        .unwrap();
    let refused = archived.write(&[said(1, 2, now, "b")], &[at(3, Source::Log, "bad")]).await;
    assert!(refused.is_err());
    assert_eq!(archived.head(talk(1)).await.unwrap(), 1, "neither without the other");
    schema.drop().await;
}

#[tokio::test]
async fn each_month_has_its_partition_and_the_net_takes_the_rest() {
    let Some((schema, archived, sql)) = opened().await else { return };
    let now = Clock::system().now();
    let year = 365 * 86_400_000;
    archived.write(&[said(1, 1, now, "now"), said(1, 2, now - year, "old")], &[]).await.unwrap();
    assert_eq!(count(&sql, "events_rest").await, 0);
    archived
        .write(&[said(1, 3, 5, "1970"), said(1, 4, now + 9 * year, "wild")], &[])
        .await
        .unwrap();
    assert_eq!(count(&sql, "events_rest").await, 2);
    assert_eq!(archived.events(talk(1), 0, 10).await.unwrap().len(), 4);
    let ahead = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass";
    let partitions: i64 = query_scalar(ahead).fetch_one(&sql.pool).await.unwrap();
    assert!(
        (19..=21).contains(&partitions),
        "a year back, half a year ahead, the net: {partitions}"
    );
    // Rows that fell into the net before their month was there move into it.
    query("UPDATE events SET at = $1 WHERE at = 5")
        .bind((now - 2 * year) as i64)
        .execute(&sql.pool)
        .await
        .unwrap();
    assert_eq!(count(&sql, "events_rest").await, 2);
    let other = Archived::new(Postgres::open(&schema.config()).await.unwrap());
    other.write(&[said(2, 1, now - 2 * year, "x")], &[]).await.unwrap();
    assert_eq!(count(&sql, "events_rest").await, 1);
    assert_eq!(archived.events(talk(1), 0, 10).await.unwrap().len(), 4);
    schema.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_batches_are_written_and_repeated() {
    let Some((schema, archived, sql)) = opened().await else { return };
    let now = Clock::system().now();
    let text = "一条消息 as people write them, of about two hundred bytes: ".repeat(3);
    let batch = |batch: u64| -> Vec<Event> {
        let one = |n: u64| said(n % 500 + 1, batch * 2 + n / 500 + 1, now + batch, &text);
        (0..1000).map(one).collect()
    };
    for (added, repeated) in [(1000, 0), (0, 1000)] {
        for n in 0..20 {
            let done = archived.write(&batch(n), &[]).await.unwrap();
            assert_eq!(done, written(added, repeated, 0));
        }
    }
    assert_eq!(count(&sql, "events").await, 20_000);
    schema.drop().await;
}

#[tokio::test]
async fn a_span_of_time_is_read_in_order() {
    let Some((schema, archived, _)) = opened().await else { return };
    let now = Clock::system().now();
    let all = [
        said(2, 1, now, "a"),
        said(1, 1, now, "b"),
        said(1, 2, now, "c"),
        said(2, 2, now + 1, "d"),
    ];
    archived.write(&all, &[]).await.unwrap();
    let texts = async |from, until, limit| {
        let read = archived.span(from, until, limit).await.unwrap();
        read.iter().map(|event| (event.conversation.get(), event.seq)).collect::<Vec<_>>()
    };
    assert_eq!(texts(now, now + 2, 9).await, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    assert_eq!(texts(now, now + 1, 9).await, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!(texts(now, now + 2, 2).await, [(1, 1), (1, 2)]);
    assert_eq!(texts(now + 2, now + 9, 9).await, []);
    assert_eq!(archived.first(0).await.unwrap(), Some(now));
    assert_eq!(archived.first(now + 1).await.unwrap(), Some(now + 1));
    assert_eq!(archived.first(now + 2).await.unwrap(), None);
    schema.drop().await;
}
