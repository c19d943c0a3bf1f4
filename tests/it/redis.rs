//! The stream in Redis while things break: the server is killed and comes back, answers and links get lost, memory runs
//! out, a listener is cut off. Each test has a server or a prefix of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kefu::domain::event::{Event, EventBody, NewEvent};
use kefu::domain::ids::{ClientKey, ConversationId, Millis, Seq, VisitorId};
use kefu::domain::partition;
use kefu::domain::people::Party;
use kefu::runtime::Clock;
use kefu::stream::{
    AppendError, LogPosition, Older, Opened, ReadError, Receipt, RedisConfig, Stream, Tail, Told,
    open_redis,
};
use kefu_servers::Redis;
use kefu_tests::proxy::Proxy;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const IN_TIME: Duration = Duration::from_secs(30);
const TTL: Duration = Duration::from_secs(60);

/// SQL that has nothing.
struct Nothing;

#[async_trait]
impl Older for Nothing {
    async fn events(
        &self,
        _: ConversationId,
        _: Seq,
        _: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        Ok(Vec::new())
    }

    async fn head(&self, _: ConversationId) -> Result<Seq, ReadError> {
        Ok(0)
    }

    async fn receipt(
        &self,
        _: ConversationId,
        _: Party,
        _: &ClientKey,
    ) -> Result<Option<(Seq, Millis)>, ReadError> {
        Ok(None)
    }
}

/// A server of this test's own; `None`, and noted as skipped, where there can be none.
fn server(name: &str, settings: &[&str]) -> Option<Redis> {
    kefu_servers::named("KEFU_TEST_REDIS")?;
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/servers");
    Some(Redis::start(&target.join(name), settings).unwrap())
}

fn config(url: &str) -> RedisConfig {
    RedisConfig {
        urls: vec![url.to_owned()],
        prefix: "kefu".into(),
        partitions: 4,
        command_timeout: Duration::from_millis(400),
        append_timeout: Duration::from_secs(3),
        queue: 8192,
        queue_bytes: 32 << 20,
        batch: 64,
        batch_bytes: 64 << 10,
        recent: 256,
        idle: Duration::from_secs(3600),
        tail: 256,
    }
}

async fn node(config: RedisConfig) -> Opened {
    open_redis(config, Arc::new(Nothing), Clock::system()).await.unwrap()
}

/// A node that reaches its server through a proxy.
async fn far_node(redis: &Redis) -> (Proxy, Opened) {
    let proxy = Proxy::to(SocketAddr::from(([127, 0, 0, 1], redis.port))).await.unwrap();
    let opened = node(config(&format!("redis://{}", proxy.address))).await;
    (proxy, opened)
}

fn talk(number: u64) -> ConversationId {
    ConversationId::new(number).unwrap()
}

fn says(conversation: ConversationId, key: &str) -> NewEvent {
    NewEvent {
        conversation,
        from: Party::Visitor(VisitorId::new(5).unwrap()),
        key: key.parse().unwrap(),
        body: EventBody::Message { text: key.into(), masked: false, file: None },
    }
}

/// As a client does it: the same key until there is a receipt.
async fn until_acked(stream: &dyn Stream, event: NewEvent) -> Receipt {
    let trying = async {
        loop {
            if let Ok(receipt) = stream.append(event.clone()).await {
                return receipt;
            }
        }
    };
    timeout(IN_TIME, trying).await.expect("acked in time")
}

async fn hears(tail: &mut Tail, count: usize) -> Vec<Arc<Event>> {
    let mut heard = Vec::new();
    while heard.len() < count {
        match timeout(IN_TIME, tail.recv()).await.expect("heard in time").expect("it is open") {
            Told::Events(batch) => heard.extend(batch.iter().cloned()),
            Told::Missed => panic!("nothing was trimmed, so nothing may be missed"),
        }
    }
    heard
}

fn key(event: &Event) -> &str {
    event.key.as_ref().unwrap().as_str()
}

async fn survives_kills(fsync: &str) {
    let Some(mut redis) = server(&format!("kill-{fsync}"), &["appendfsync", fsync]) else { return };
    let (one, two) = (node(config(&redis.url())).await, node(config(&redis.url())).await);
    let mut tail = two.stream.tail();
    let mut senders = JoinSet::new();
    for sender in 0..8_u64 {
        let stream = if sender % 2 == 0 { one.stream.clone() } else { two.stream.clone() };
        senders.spawn(async move {
            let mut acked = Vec::new();
            for n in 0..400 {
                let key = format!("{sender}-{n}");
                let receipt = until_acked(&*stream, says(talk(sender % 3 + 1), &key)).await;
                acked.push((talk(sender % 3 + 1), receipt.seq, key));
            }
            acked
        });
    }
    let (mut heard, mut kills) = (Vec::new(), 0);
    while heard.len() < 3_200 {
        heard.extend(hears(&mut tail, 1).await);
        if heard.len() > (kills + 1) * 800 && kills < 3 {
            kills += 1;
            redis.kill();
            redis.restart().unwrap();
        }
    }
    let acked: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!((acked.len(), kills), (3_200, 3), "{fsync}");
    let mut kept = BTreeMap::new();
    for id in (1..=3).map(talk) {
        let read = one.stream.read(id, 0, 10_000).await.unwrap();
        assert!(read.iter().zip(1..).all(|(event, seq)| event.seq == seq), "{fsync}: dense");
        let told: Vec<_> = heard.iter().filter(|event| event.conversation == id).collect();
        assert!(told.iter().zip(1..).all(|(event, seq)| event.seq == seq), "{fsync}: told once");
        kept.extend(read.into_iter().map(|event| ((id, event.seq), key(&event).to_owned())));
    }
    assert_eq!(kept.len(), 3_200, "{fsync}: nothing doubled");
    for (id, seq, key) in acked {
        assert_eq!(kept[&(id, seq)], key, "{fsync}: what was acked is there, where it was acked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_and_doubles_nothing_with_everysec() {
    survives_kills("everysec").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_and_doubles_nothing_with_always() {
    survives_kills("always").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_answer_got_lost_is_kept_once() {
    let Some(redis) = server("lost-answer", &[]) else { return };
    let (proxy, far) = far_node(&redis).await;
    until_acked(&*far.stream, says(talk(1), "first")).await;
    proxy.swallows_answers();
    let stream = far.stream.clone();
    let append =
        tokio::task::JoinSet::from_iter([
            async move { stream.append(says(talk(1), "lost")).await },
        ]);
    // It is there, and nobody was told.
    let log = format!("{{kefu:p{}}}:r:1", partition::of(talk(1), 4));
    let kept = || redis.ask(&["XLEN", &log]).unwrap();
    let deadline = Instant::now() + IN_TIME;
    while kept() != "2" {
        assert!(Instant::now() < deadline, "kept in time");
        tokio::task::yield_now().await;
    }
    proxy.passes();
    let receipt = append.join_all().await.remove(0).unwrap();
    assert_eq!((receipt.seq, kept().as_str()), (2, "2"));
    assert_eq!(until_acked(&*far.stream, says(talk(1), "next")).await.seq, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_link_is_told_in_time_and_replaced() {
    let Some(redis) = server("silent-link", &[]) else { return };
    let (proxy, far) = far_node(&redis).await;
    until_acked(&*far.stream, says(talk(1), "first")).await;
    proxy.swallows();
    let begun = Instant::now();
    let refused = far.stream.append(says(talk(1), "lost")).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::Unavailable(why) if why.contains("400ms")),
        "{refused}"
    );
    assert!(begun.elapsed() < Duration::from_secs(6), "told after {:?}", begun.elapsed());
    assert!(far.stream.read(talk(1), 0, 10).await.is_err());
    proxy.passes();
    let receipt = until_acked(&*far.stream, says(talk(1), "lost")).await;
    assert_eq!(receipt.seq, 2);
    assert_eq!(far.stream.read(talk(1), 0, 10).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_was_cut_off_hears_everything_later() {
    let Some(redis) = server("cut-off", &[]) else { return };
    let near = node(config(&redis.url())).await;
    let (proxy, far) = far_node(&redis).await;
    let mut tail = far.stream.tail();
    for (round, breaks) in [Proxy::cut, Proxy::swallows].into_iter().enumerate() {
        until_acked(&*near.stream, says(talk(1), &format!("{round}-before"))).await;
        assert_eq!(key(&hears(&mut tail, 1).await[0]), format!("{round}-before"));
        breaks(&proxy);
        for n in 0..1_200 {
            until_acked(&*near.stream, says(talk(1), &format!("{round}-{n}"))).await;
        }
        proxy.passes();
        let heard = hears(&mut tail, 1_200).await;
        let wanted = (0..1_200).map(|n| format!("{round}-{n}"));
        assert!(heard.iter().map(|event| key(event)).eq(wanted), "all of it, once, in order");
        // And the last one is live again, not only what a look around finds.
        until_acked(&*near.stream, says(talk(1), &format!("{round}-after"))).await;
        assert_eq!(key(&hears(&mut tail, 1).await[0]), format!("{round}-after"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_is_told_when_what_it_missed_is_gone() {
    let Some(redis) = server("missed", &[]) else { return };
    let near = node(config(&redis.url())).await;
    let (proxy, far) = far_node(&redis).await;
    let mut tail = far.stream.tail();
    until_acked(&*near.stream, says(talk(1), "heard")).await;
    hears(&mut tail, 1).await;
    proxy.cut();
    let receipt = until_acked(&*near.stream, says(talk(1), "missed")).await;
    let partition = partition::of(talk(1), near.log.partitions());
    let lease = near.log.lease(partition, "archive", "me", TTL).await.unwrap().unwrap();
    near.log.trim(&lease, LogPosition { ms: receipt.at, n: u64::MAX - 1 }).await.unwrap();
    proxy.passes();
    let told = timeout(IN_TIME, tail.recv()).await.expect("told in time");
    assert_eq!(told, Some(Told::Missed));
    until_acked(&*near.stream, says(talk(1), "heard-again")).await;
    assert_eq!(key(&hears(&mut tail, 1).await[0]), "heard-again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_maxmemory_appends_are_refused_and_nothing_is_thrown_away() {
    let Some(redis) = server("maxmemory", &[]) else { return };
    let node = node(config(&redis.url())).await;
    let first = until_acked(&*node.stream, says(talk(1), "first")).await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    let refused = node.stream.append(says(talk(1), "refused")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the stream is full: Redis has reached its maxmemory");
    assert!(matches!(refused, AppendError::Full(_)));
    let again = node.stream.append(says(talk(1), "first")).await.unwrap();
    assert_eq!((again.seq, again.duplicate), (first.seq, true), "a retry needs no room");
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert_eq!(node.stream.append(says(talk(1), "refused")).await.unwrap().seq, 2);
    assert_eq!(node.stream.read(talk(1), 0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_throws_away_is_not_used() {
    let Some(redis) = server("evicting", &["maxmemory-policy", "allkeys-lru"]) else { return };
    let opened = open_redis(config(&redis.url()), Arc::new(Nothing), Clock::system()).await;
    let why = opened.err().expect("refused").to_string();
    assert!(why.contains("maxmemory-policy is allkeys-lru"), "{why}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_at_once() {
    let port = kefu_servers::free_port().unwrap();
    let config = config(&format!("redis://127.0.0.1:{port}"));
    let begun = Instant::now();
    let why = open_redis(config, Arc::new(Nothing), Clock::system()).await.err().expect("refused");
    assert!(why.to_string().contains("efused"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}
