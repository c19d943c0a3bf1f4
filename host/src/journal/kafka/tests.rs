//! The journal against a real broker: the one that `KEFU_TEST_KAFKA` names, or one of its own where it has to die. Each
//! test has a topic of its own.

use std::path::Path;
use std::time::Instant;

use super::*;
use crate::domain::event::EventBody;
use crate::domain::ids::ConversationId;
use crate::domain::people::Party;
use crate::journal::Entry;
use crate::runtime::random_bytes;

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn settings(brokers: &str, partitions: u16) -> JournalSettings {
    JournalSettings {
        brokers: brokers.into(),
        topic: format!("kefu-{:016x}", u64::from_le_bytes(random_bytes())),
        partitions,
        replication: 0,
        linger_ms: 3,
        in_flight: 50_000,
        in_flight_kib: 65_536,
    }
}

fn event(n: u64) -> Event {
    Event {
        conversation: ConversationId::new(n % 7 + 1).unwrap(),
        seq: n / 7 + 1,
        at: 1_764_033_600_000 + n,
        from: Party::System,
        key: None,
        body: EventBody::Message { text: format!("message {n}"), masked: false, file: None },
    }
}

fn at(n: u64) -> LogPosition {
    LogPosition { ms: 1_764_033_600_000 + n, n: 0 }
}

fn open(settings: &JournalSettings) -> Arc<Journal> {
    Journal::open(settings.clone(), Clock::system()).unwrap()
}

/// Sends some, waiting where the lane is full.
async fn send(lane: &Lane, epoch: u64, numbers: impl Iterator<Item = u64>) {
    for n in numbers {
        while let Err(error) = lane.send(Stamp { epoch, position: at(n) }, &event(n)) {
            assert_eq!(error, SendError::Full);
            lane.moved().await;
        }
    }
}

async fn landed(lane: &Lane, n: u64) {
    let all = async {
        while lane.state().landed < at(n) {
            lane.moved().await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    in_time.unwrap_or_else(|_| panic!("{:?} of {n}", lane.state()));
}

/// So many entries of a partition.
async fn hear(journal: &Journal, partition: u16, from: Option<i64>, many: usize) -> Vec<Entry> {
    let mut reader = journal.reader().unwrap();
    reader.follow().from(partition, from).unwrap();
    let mut heard = Vec::new();
    let all = async {
        while heard.len() < many {
            heard.extend(reader.next().await.unwrap());
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    in_time.unwrap_or_else(|_| panic!("heard {} of {many}", heard.len()));
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_is_read_in_order_with_its_stamps() {
    let Some(brokers) = kefu_servers::named("KEFU_TEST_KAFKA") else { return };
    let journal = open(&settings(&brokers, 3));
    journal.prepare().await.unwrap();
    journal.prepare().await.expect("it is there, and as it must be");
    assert_eq!(journal.last(1, 0).await.unwrap(), End::New);
    let lane = journal.lane(1, LogPosition::START).unwrap();
    send(&lane, 7, 1..=5000).await;
    landed(&lane, 5000).await;
    assert_eq!(lane.state().waiting, 0);
    let heard = hear(&journal, 1, None, 5000).await;
    for (n, entry) in (1..).zip(&heard) {
        assert_eq!(*entry.event, event(n));
        assert_eq!(entry.stamp, Some(Stamp { epoch: 7, position: at(n) }));
    }
    let rest = hear(&journal, 1, Some(heard[4000].offset), 1000).await;
    assert_eq!(rest, heard[4000..]);
    let last = End::Stamp(Stamp { epoch: 7, position: at(5000) });
    assert_eq!(journal.last(1, 7).await.unwrap(), last);
    assert_eq!(journal.last(1, 9).await.unwrap(), last, "searched all, found the greatest");
    assert_eq!(journal.last(2, 0).await.unwrap(), End::New);
    journal.republish(2, &event(1)).unwrap();
    assert!(journal.flush(PATIENCE).await);
    assert_eq!(journal.last(2, 0).await.unwrap(), End::Expired);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_the_newest_owner_counts_and_republished_ones_do_not() {
    let Some(brokers) = kefu_servers::named("KEFU_TEST_KAFKA") else { return };
    let journal = open(&settings(&brokers, 1));
    journal.prepare().await.unwrap();
    let old = journal.lane(0, LogPosition::START).unwrap();
    send(&old, 1, 1..=10).await;
    landed(&old, 10).await;
    let new = journal.lane(0, at(10)).unwrap();
    send(&new, 2, 11..=20).await;
    landed(&new, 20).await;
    // The old owner's late records, further than the new one got.
    let late = journal.lane(0, LogPosition::START).unwrap();
    send(&late, 1, 11..=40).await;
    landed(&late, 40).await;
    for n in 0..600 {
        journal.republish(0, &event(n)).unwrap();
    }
    assert!(journal.flush(PATIENCE).await);
    let last = journal.last(0, 2).await.unwrap();
    assert_eq!(last, End::Stamp(Stamp { epoch: 2, position: at(20) }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_with_another_number_of_partitions_is_refused() {
    let Some(brokers) = kefu_servers::named("KEFU_TEST_KAFKA") else { return };
    let made = settings(&brokers, 3);
    open(&made).prepare().await.unwrap();
    let other = JournalSettings { partitions: 4, ..made.clone() };
    let refused = open(&other).prepare().await.unwrap_err();
    let told = JournalError::Partitions { topic: made.topic, found: 3, wanted: 4 };
    assert_eq!(refused, told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_there_is_away_and_a_lane_is_bounded() {
    let away = JournalSettings { in_flight: 100, ..settings("127.0.0.1:9", 1) };
    let journal = open(&away);
    let begun = Instant::now();
    assert!(matches!(journal.prepare().await, Err(JournalError::Away(_))));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let lane = journal.lane(0, LogPosition::START).unwrap();
    let mut taken = 0;
    let refused = loop {
        match lane.send(Stamp { epoch: 1, position: at(taken + 1) }, &event(taken)) {
            Ok(()) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!((taken, refused), (100, SendError::Full));
    let state = lane.state();
    assert_eq!((state.landed, state.waiting), (LogPosition::START, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_costs_nothing_and_changes_no_order() {
    if kefu_servers::named("KEFU_TEST_KAFKA").is_none() {
        return;
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let mut kafka =
        kefu_servers::Kafka::start(&target.join("servers/journal-kafka"), &target).unwrap();
    let journal = open(&settings(&kafka.brokers(), 1));
    journal.prepare().await.unwrap();
    let lane = journal.lane(0, LogPosition::START).unwrap();
    send(&lane, 1, 1..=1000).await;
    landed(&lane, 1000).await;
    let sending = async {
        send(&lane, 1, 1001..=20_000).await;
        kafka.kill();
        send(&lane, 1, 20_001..=40_000).await;
        assert!(lane.state().landed < at(40_000));
        kafka.restart().unwrap();
        landed(&lane, 40_000).await;
    };
    tokio::time::timeout(PATIENCE * 2, sending).await.expect("all of it lands");
    // A batch may stand there twice, where the broker died between keeping it and saying so.
    let mut reader = journal.reader().unwrap();
    reader.follow().from(0, None).unwrap();
    let mut last = 0;
    while last < 40_000 {
        let entries = tokio::time::timeout(PATIENCE, reader.next()).await.unwrap().unwrap();
        for entry in entries {
            let position = entry.stamp.unwrap().position;
            assert!(position <= at(last + 1), "a hole after {last}");
            last = last.max(position.ms - at(0).ms);
        }
    }
}
