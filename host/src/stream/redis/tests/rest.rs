//! What leaves Redis when SQL has it, and what comes back.

use futures_util::future::join_all;

use super::*;

fn seqs(events: &[Arc<Event>]) -> Vec<Seq> {
    events.iter().map(|event| event.seq).collect()
}

/// What the archive does: reads all logs into SQL and trims them.
async fn archive(redis: &Redis, sql: &Sql) {
    for partition in 0..redis.partitions() {
        let lease = redis.lease(partition, "archive", "me", Duration::from_secs(60)).await.unwrap();
        let read = redis.log(partition, LogPosition::START, 10_000).await.unwrap();
        sql.keep(read.iter().map(|(_, event)| event.clone()));
        if let Some((last, _)) = read.last() {
            redis.trim(&lease.unwrap(), *last).await.unwrap();
        }
    }
}

async fn keys(redis: &Redis, conversation: ConversationId) -> u64 {
    let (_, keys) = redis.shared.keys_of(conversation);
    let mut command = redis::cmd("EXISTS");
    command.arg(keys.hash(conversation)).arg(keys.recent(conversation));
    redis.shared.link.run(&command).await.unwrap()
}

/// Until the sweeper has been at it.
async fn forgotten(redis: &Redis, conversation: ConversationId) {
    let gone = async {
        while keys(redis, conversation).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("forgotten in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recent_logs_are_cut_only_below_what_sql_has() {
    for server in SERVERS {
        let Some(place) = Place::on(server) else { return };
        let redis = place.redis().await;
        let mut said = 0;
        let mut says_more = async |count| {
            for _ in 0..count {
                said += 1;
                redis.append(says(talk(1), &format!("k{said}"), "x")).await.unwrap();
            }
        };
        says_more(200).await;
        assert_eq!(redis.recent(talk(1), 0, 1000).await.unwrap().len(), 200, "SQL has nothing yet");
        archive(&redis, &place.sql).await;
        // In a later millisecond than what SQL has: only then is it certain that it is older than the log.
        tokio::time::sleep(Duration::from_millis(5)).await;
        says_more(56).await;
        let left = redis.recent(talk(1), 0, 1000).await.unwrap();
        assert!(left.len() < 90 && left.last().unwrap().seq == 256, "{server}: {}", left.len());
        let read = redis.read(talk(1), 0, 1000).await.unwrap();
        assert_eq!(seqs(&read), (1..=256).collect::<Vec<_>>(), "{server}: SQL below, Redis above");
        assert_eq!(seqs(&redis.read(talk(1), 198, 4).await.unwrap()), [199, 200, 201, 202]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_at_rest_is_forgotten_and_goes_on_where_it_was() {
    for server in SERVERS {
        let Some(mut place) = Place::on(server) else { return };
        place.config.idle = Duration::from_millis(200);
        let redis = place.redis().await;
        for id in [talk(1), talk(2)] {
            for n in 1..=3 {
                redis.append(says(id, &format!("k{n}"), "x")).await.unwrap();
            }
        }
        let first = redis.read(talk(1), 0, 10).await.unwrap()[1].clone();
        archive(&redis, &place.sql).await;
        // One more that SQL does not have: it stays, however long it rests.
        redis.append(says(talk(2), "k4", "x")).await.unwrap();
        // And one of the same partition that rests less long and that SQL has: the other was looked at before.
        let home = |id| partition::of(id, redis.partitions());
        let other = (3..).map(talk).find(|id| home(*id) == home(talk(2))).unwrap();
        let receipt = redis.append(says(other, "k1", "x")).await.unwrap();
        assert_eq!(receipt.seq, 1);
        place.sql.keep(redis.read(other, 0, 10).await.unwrap());
        forgotten(&redis, talk(1)).await;
        forgotten(&redis, other).await;
        assert_eq!(keys(&redis, talk(2)).await, 2, "{server}: SQL has not all of it");

        assert_eq!(redis.head(talk(1)).await.unwrap(), 3);
        assert_eq!(seqs(&redis.read(talk(1), 1, 10).await.unwrap()), [2, 3]);
        let again = redis.append(says(talk(1), "k2", "again")).await.unwrap();
        assert_eq!(again, Receipt { seq: 2, at: first.at, duplicate: true }, "{server}");
        // Together: what is known to SQL and what is new, in the order in which it was asked.
        let keys = ["k5", "k1", "k6"];
        let asked = keys.map(|key| redis.append(says(talk(1), key, "x")));
        let mut told = BTreeMap::new();
        for (key, receipt) in keys.iter().zip(join_all(asked).await) {
            let receipt = receipt.unwrap();
            told.insert(*key, (receipt.seq, receipt.duplicate));
        }
        assert_eq!(told["k1"], (1, true), "{server}");
        assert_eq!((told["k5"], told["k6"]), ((4, false), (5, false)), "{server}");
        let late = redis.append(says(talk(1), "k3", "x")).await.unwrap();
        assert_eq!((late.seq, late.duplicate), (3, true), "{server}: a hash that began at 3");
        assert_eq!(seqs(&redis.read(talk(1), 0, 10).await.unwrap()), [1, 2, 3, 4, 5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sql_what_is_open_goes_on_and_what_is_not_known_is_refused() {
    let Some(place) = Place::on(SERVERS[0]) else { return };
    let redis = place.redis().await;
    redis.append(says(talk(1), "k1", "x")).await.unwrap();
    place.sql.away.store(true, Ordering::Relaxed);
    assert_eq!(redis.append(says(talk(1), "k2", "x")).await.unwrap().seq, 2);
    assert_eq!(seqs(&redis.read(talk(1), 0, 10).await.unwrap()), [1, 2]);
    let refused = redis.append(says(talk(2), "k1", "x")).await.unwrap_err();
    assert_eq!(refused, AppendError::Unavailable("SQL is away".into()));
    place.sql.away.store(false, Ordering::Relaxed);
    assert_eq!(redis.append(says(talk(2), "k1", "x")).await.unwrap().seq, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_of_one_conversation_stay_in_order_while_sql_is_asked() {
    let Some(place) = Place::on(SERVERS[0]) else { return };
    let redis = place.redis().await;
    let mut appends = Vec::new();
    for n in 0..300 {
        let mut append = redis.append(says(talk(1), &format!("k{n}"), "x"));
        // Accepted, in this order.
        assert!(futures_util::poll!(&mut append).is_pending());
        appends.push(append);
    }
    for (n, append) in (1..).zip(appends) {
        assert_eq!(append.await.unwrap().seq, n);
    }
}

#[tokio::test]
async fn more_than_may_wait_is_refused_at_once() {
    let Some(mut place) = Place::on(SERVERS[0]) else { return };
    place.config.queue = 3;
    let redis = place.redis().await;
    let mut appends = Vec::new();
    for n in 0..4 {
        let mut append = redis.append(says(talk(1), &format!("k{n}"), "x"));
        let polled = futures_util::poll!(&mut append);
        match n {
            0..3 => assert!(polled.is_pending()),
            _ => assert_eq!(polled, std::task::Poll::Ready(Err(AppendError::Overloaded))),
        }
        appends.push(append);
    }
    for append in appends.drain(..3) {
        append.await.unwrap();
    }
    redis.append(says(talk(1), "k4", "x")).await.unwrap();
}
