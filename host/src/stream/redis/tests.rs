//! The stream on a real Redis and on a real cluster of three masters (`cargo xtask test` starts them and says where):
//! the contract of all streams, then what only this adapter has. SQL is played by a map.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::*;
use crate::domain::ids::{ClientKey, Millis};
use crate::domain::people::Party;
use crate::runtime::fresh_id;
use crate::stream::contract::{self, says, talk};
use crate::stream::{Log as _, Topic, TrimError};

mod log;
mod rest;

/// What SQL has: of each conversation its events, and the keys of clients.
#[derive(Default)]
struct Sql {
    events: Mutex<BTreeMap<(ConversationId, Seq), Arc<Event>>>,
    away: AtomicBool,
}

impl Sql {
    fn keep(&self, events: impl IntoIterator<Item = Arc<Event>>) {
        let mut kept = self.events.lock();
        kept.extend(events.into_iter().map(|event| ((event.conversation, event.seq), event)));
    }

    fn of(&self, conversation: ConversationId) -> Result<Vec<Arc<Event>>, ReadError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(ReadError("SQL is away".into()));
        }
        let events = self.events.lock();
        Ok(events
            .range((conversation, 0)..=(conversation, Seq::MAX))
            .map(|(_, e)| e.clone())
            .collect())
    }
}

#[async_trait]
impl Older for Sql {
    async fn events(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let events = self.of(conversation)?.into_iter();
        Ok(events.filter(|event| event.seq > after).take(limit).collect())
    }

    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError> {
        Ok(self.of(conversation)?.last().map_or(0, |event| event.seq))
    }

    async fn receipt(
        &self,
        conversation: ConversationId,
        from: Party,
        key: &ClientKey,
    ) -> Result<Option<(Seq, Millis)>, ReadError> {
        let same = |event: &Arc<Event>| event.from == from && event.key.as_ref() == Some(key);
        Ok(self.of(conversation)?.into_iter().find(same).map(|event| (event.seq, event.at)))
    }
}

/// One installation: a prefix of its own on a server, and the SQL below it.
struct Place {
    config: RedisConfig,
    sql: Arc<Sql>,
}

impl Place {
    /// On the server that a variable names; `None`, and noted as skipped, where there is none.
    fn on(variable: &str) -> Option<Self> {
        let urls = kefu_servers::named(variable)?;
        let config = RedisConfig {
            urls: urls.split(',').map(str::to_owned).collect(),
            prefix: format!("test{}", fresh_id(&Clock::system())),
            partitions: 4,
            command_timeout: Duration::from_secs(5),
            append_timeout: Duration::from_secs(10),
            queue: 8192,
            queue_bytes: 32 << 20,
            batch: 64,
            batch_bytes: 64 << 10,
            recent: 40,
            idle: Duration::from_secs(3600),
            tail: 256,
        };
        Some(Self { config, sql: Arc::default() })
    }

    async fn node(&self) -> (Redis, Signals) {
        Redis::open(self.config.clone(), self.sql.clone(), Clock::system()).await.unwrap()
    }

    async fn redis(&self) -> Redis {
        self.node().await.0
    }

    async fn stream(&self) -> Arc<dyn Stream> {
        Arc::new(self.redis().await)
    }
}

const SERVERS: [&str; 2] = ["KEFU_TEST_REDIS", "KEFU_TEST_REDIS_CLUSTER"];

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod single {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(place) = super::Place::on(super::SERVERS[0]) else { return };
                super::contract::$name(async || place.stream().await).await;
            })+
        }
        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(place) = super::Place::on(super::SERVERS[1]) else { return };
                super::contract::$name(async || place.stream().await).await;
            })+
        }
    };
}

contract!(
    numbers_are_dense_and_in_order,
    reads_page_by_page,
    the_same_key_is_kept_once,
    a_key_belongs_to_one_sender_in_one_conversation,
    redelivery_after_a_restart_gets_the_first_receipt,
    numbers_go_on_after_a_restart,
    a_thousand_appends_at_once_are_dense,
    racing_duplicates_share_one_receipt,
    tails_see_everything_in_order,
    a_dropped_tail_holds_nobody_up,
    an_append_completes_when_its_caller_leaves,
    every_kind_of_event_comes_back_as_it_was,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_numbers_keys_and_tails() {
    for server in SERVERS {
        let Some(place) = Place::on(server) else { return };
        let (one, two) = (place.stream().await, place.stream().await);
        let mut tail = two.tail();
        let mut tasks = JoinSet::new();
        for n in 0..400_u64 {
            let stream = Arc::clone(if n % 2 == 0 { &one } else { &two });
            // Every key twice, once from each node.
            let key = format!("k{}", n / 2);
            tasks.spawn(async move { stream.append(says(talk(n / 2 % 5 + 1), &key, "x")).await });
        }
        let receipts: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 200, "{server}");
        let told = contract::hear(&mut tail, 200).await;
        for id in (1..=5).map(talk) {
            let read = one.read(id, 0, 1000).await.unwrap();
            let seqs: Vec<_> = read.iter().map(|event| event.seq).collect();
            assert_eq!(seqs, (1..=40).collect::<Vec<_>>(), "{server}");
            let told: Vec<_> = told.iter().filter(|e| e.conversation == id).cloned().collect();
            assert_eq!(told, read, "{server}: the other node hears all of it, once, in order");
        }
    }
}

#[tokio::test]
async fn the_number_of_partitions_never_changes() {
    let Some(mut place) = Place::on(SERVERS[0]) else { return };
    drop(place.redis().await);
    place.config.partitions = 5;
    let refused = Redis::open(place.config.clone(), place.sql.clone(), Clock::system()).await;
    let why = refused.err().unwrap().to_string();
    assert!(why.contains("4 partitions, not 5"), "{why}");
}

#[tokio::test]
async fn a_server_says_what_it_promises() {
    let Some(place) = Place::on(SERVERS[0]) else { return };
    let facts = Facts::of(&place.config.urls, Duration::from_secs(5)).await.unwrap();
    assert_eq!((facts.append_only, facts.append_fsync.as_deref()), (Some(true), Some("everysec")));
    assert_eq!(facts.eviction.as_deref(), Some("noeviction"));
    assert!(!facts.cluster && facts.version.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(facts.check(), Ok(()));

    let old = Facts { version: "6.2.14".into(), ..facts.clone() };
    assert_eq!(old.check().unwrap_err(), "it is Redis 6.2.14, and 7.0 is the oldest");
    let evicting = Facts { eviction: Some("allkeys-lru".into()), ..facts };
    assert!(evicting.check().unwrap_err().contains("allkeys-lru"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_reach_every_node() {
    for server in SERVERS {
        let Some(place) = Place::on(server) else { return };
        let ((_one, sends), (_two, hears)) = (place.node().await, place.node().await);
        for (signals, by) in [(&hears, "another"), (&sends, "itself")] {
            let mut heard = signals.hear();
            let sent = ["a b", "二"];
            for text in sent {
                sends.send(Topic::Presence, text);
            }
            for text in sent {
                let signal = timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
                let node = sends.node();
                assert_eq!(
                    signal,
                    Signal { node, topic: Topic::Presence, text: text.into() },
                    "{by}"
                );
            }
        }
    }
}
