//! The partition logs: order, trimming, leases and their epochs.

use super::*;

const TTL: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_has_everything_in_order_until_it_is_trimmed() {
    for server in SERVERS {
        let Some(place) = Place::on(server) else { return };
        let redis = place.redis().await;
        for n in 0..200_u64 {
            redis.append(says(talk(n % 20 + 1), &format!("k{n}"), "x")).await.unwrap();
        }
        let mut total = 0;
        for partition in 0..redis.partitions() {
            let all = redis.log(partition, LogPosition::START, 1000).await.unwrap();
            total += all.len();
            assert!(all.is_sorted_by(|one, next| one.0 < next.0));
            for (at, event) in &all {
                let home = partition::of(event.conversation, redis.partitions());
                assert_eq!((home, event.at), (partition, at.ms), "{server}");
            }
            let (half, last) = (all[all.len() / 2].0, all[all.len() - 1].0);
            assert_eq!(redis.log_end(partition).await.unwrap(), last);
            let page = redis.log(partition, half, 3).await.unwrap();
            assert_eq!(page, all[all.len() / 2 + 1..][..3]);

            let lease = redis.lease(partition, "archive", "me", TTL).await.unwrap().unwrap();
            assert_eq!(redis.trimmed(partition).await.unwrap(), LogPosition::START, "{server}");
            redis.trim(&lease, half).await.unwrap();
            assert_eq!(redis.trimmed(partition).await.unwrap(), half, "{server}");
            let left = redis.log(partition, LogPosition::START, 1000).await.unwrap();
            assert_eq!(left, all[all.len() / 2 + 1..], "{server}");
            redis.trim(&lease, last).await.unwrap();
            assert!(redis.log(partition, LogPosition::START, 1000).await.unwrap().is_empty());
            assert_eq!(redis.log_end(partition).await.unwrap(), last, "{server}: still known");
        }
        assert_eq!(total, 200, "{server}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lost_a_lease_trims_nothing() {
    for server in SERVERS {
        let Some(place) = Place::on(server) else { return };
        let redis = place.redis().await;
        let receipt = redis.append(says(talk(1), "k", "x")).await.unwrap();
        let at = LogPosition { ms: receipt.at, n: 0 };
        let partition = partition::of(talk(1), redis.partitions());
        let take = async |owner, ttl| redis.lease(partition, "relay", owner, ttl).await.unwrap();

        let first = take("one", TTL).await.unwrap();
        assert_eq!(take("two", TTL).await, None, "{server}: it is taken");
        assert_eq!(take("one", TTL).await.as_ref(), Some(&first), "renewed, the same epoch");
        let other = redis.lease(partition, "archive", "two", TTL).await.unwrap();
        assert!(other.is_some(), "{server}: another role is another lease");

        redis.release(first.clone()).await;
        let second = take("two", TTL).await.unwrap();
        assert!(second.epoch > first.epoch, "{server}");
        redis.release(first.clone()).await;
        assert_eq!(take("one", TTL).await, None, "{server}: an old lease releases nothing");
        assert_eq!(redis.trim(&first, at).await, Err(TrimError::LeaseLost), "{server}");
        assert_eq!(redis.log(partition, LogPosition::START, 10).await.unwrap().len(), 1);
        redis.trim(&second, at).await.unwrap();
        assert!(redis.log(partition, LogPosition::START, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_lease_runs_out_and_its_epoch_outlives_the_servers_data() {
    let Some(place) = Place::on(SERVERS[0]) else { return };
    let redis = place.redis().await;
    let first = redis.lease(0, "relay", "one", Duration::from_millis(1)).await.unwrap().unwrap();
    let second = async {
        loop {
            if let Some(lease) = redis.lease(0, "relay", "two", TTL).await.unwrap() {
                return lease;
            }
        }
    };
    let second = tokio::time::timeout(Duration::from_secs(10), second).await.unwrap();
    assert!(second.epoch > first.epoch);
    let key = redis.shared.keys[0].lease("relay");
    let _: u64 = redis.shared.link.run(redis::cmd("DEL").arg(key)).await.unwrap();
    let third = redis.lease(0, "relay", "three", TTL).await.unwrap().unwrap();
    assert!(third.epoch > second.epoch, "{} after {}", third.epoch, second.epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_a_log_is_woken_by_another_node() {
    let Some(place) = Place::on(SERVERS[0]) else { return };
    let (reads, writes) = (place.redis().await, place.redis().await);
    let partition = partition::of(talk(1), reads.partitions());
    writes.append(says(talk(1), "k", "x")).await.unwrap();
    let woken = tokio::time::timeout(Duration::from_secs(10), reads.appended(partition)).await;
    woken.expect("woken in time");
}
