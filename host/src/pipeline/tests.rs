//! The road behind the stream, told as what an operator and a consumer of the topic see: every event in SQL and in the
//! topic, whatever dies. The log is in memory, PostgreSQL and Kafka are real.

mod memory;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::archive::ArchiveLimits;
use super::relay::LivenessRules;
use super::*;
use crate::conversations::tests::world::World;
use crate::domain::ids::{ConversationId, Seq};
use crate::inspection::Inspection;
use crate::journal::{Journal, JournalSettings};
use crate::runtime::{random_bytes, spawn};
use crate::spool::Spool;
use crate::storage::{self, PostgresConfig, StorageConfig};
use memory::MemoryLog;

const PARTITIONS: u16 = 4;
const CONVERSATIONS: u64 = 40;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);
const RULES: LivenessRules = LivenessRules { down_after_ms: 1000, canaries: 2, dwell_ms: 500 };

/// What outlives nodes.
struct Scene {
    log: Arc<MemoryLog>,
    archived: Archived,
    journal: Option<JournalSettings>,
    spool_bytes: u64,
    _database: Option<kefu_servers::Database>,
}

/// A node that runs until it is stopped or dies.
struct Node {
    pipeline: Arc<Pipeline>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _world: World,
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// One at a time: a broker takes what two cores have.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A broker that a test may kill, until the guard is dropped; `None` where there is none.
async fn own_kafka(
    name: &str,
) -> Option<(kefu_servers::Kafka, tokio::sync::MutexGuard<'static, ()>)> {
    kefu_servers::named("KEFU_TEST_KAFKA")?;
    let alone = ALONE.lock().await;
    let dir = target().join("servers").join(name);
    Some((kefu_servers::Kafka::start(&dir, &target()).unwrap(), alone))
}

fn topic(brokers: &str) -> JournalSettings {
    JournalSettings {
        brokers: brokers.into(),
        topic: format!("kefu-{:016x}", u64::from_le_bytes(random_bytes())),
        partitions: PARTITIONS,
        replication: 0,
        linger_ms: 3,
        in_flight: 20_000,
        in_flight_kib: 65_536,
    }
}

impl Scene {
    /// `None` where there is no PostgreSQL.
    async fn new(journal: Option<JournalSettings>) -> Option<Self> {
        let database = kefu_servers::Database::fresh(&kefu_servers::named("KEFU_TEST_POSTGRES")?);
        let database = database.unwrap();
        let scene = Self::on(&database.url(), journal).await;
        Some(Self { _database: Some(database), ..scene })
    }

    async fn on(url: &str, journal: Option<JournalSettings>) -> Self {
        let config = PostgresConfig {
            url: url.into(),
            connections: 4,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(5),
        };
        let opened = storage::open(&StorageConfig::Postgres(config)).await.unwrap();
        let (log, archived) = (MemoryLog::new(PARTITIONS), opened.archived.unwrap());
        Self { log, archived, journal, spool_bytes: 64 << 20, _database: None }
    }

    async fn node(&self, dir: &Path) -> Node {
        let (world, clock) = (World::new().await, Clock::system());
        let (storage, stream) = (world.storage.clone(), world.stream.clone());
        let inspection = Inspection::new(
            storage.clone(),
            stream.clone(),
            world.plugins.clone(),
            world.sessions.clone(),
            clock.clone(),
        );
        let closed = Closed::new(storage, stream, inspection);
        let limits = ArchiveLimits::default();
        let archive = Archive::new(self.archived.clone(), closed.clone(), limits);
        let relay = self.journal.as_ref().map(|settings| {
            Arc::new(Relay {
                log: self.log.clone(),
                journal: Journal::open(settings.clone(), clock.clone()).unwrap(),
                spool: Spool::open(dir, self.spool_bytes).unwrap(),
                past: self.archived.clone(),
                clock: clock.clone(),
                rules: RULES,
                window: 4000,
            })
        });
        let pipeline = Pipeline::new(Parts {
            log: self.log.clone(),
            archived: self.archived.clone(),
            archive,
            closed,
            relay,
            clock,
            owner: format!("{:016x}", u64::from_le_bytes(random_bytes())),
            lease: Duration::from_secs(2),
        });
        let shutdown = CancellationToken::new();
        let task = spawn(pipeline.clone().run(shutdown.clone()));
        Node { pipeline, shutdown, task, _world: world }
    }

    /// So many messages, spread over the conversations, `per_ms` in a millisecond.
    async fn say(&self, many: u64, per_ms: u64) {
        let mut beat = tokio::time::interval(Duration::from_millis(1));
        for n in 0..many {
            if n % per_ms == 0 {
                beat.tick().await;
            }
            self.log.append(ConversationId::new(n % CONVERSATIONS + 1).unwrap());
        }
    }

    /// Waits until SQL has everything, and looks at it.
    async fn sql_has_all(&self) {
        let heads = self.log.heads();
        eventually("SQL has everything", async || {
            for (id, head) in &heads {
                let rows = self.archived.events(*id, head - 1, 1).await;
                if !rows.is_ok_and(|rows| !rows.is_empty()) {
                    return false;
                }
            }
            true
        })
        .await;
        for (id, head) in heads {
            let rows = self.archived.events(id, 0, usize::MAX >> 1).await.unwrap();
            let seqs: Vec<_> = rows.iter().map(|event| event.seq).collect();
            assert_eq!(seqs, (1..=head).collect::<Vec<_>>(), "of {id}");
        }
    }

    /// A consumer's view of the whole topic, by the rule of docs/JOURNAL.md; gives how many records were repeated.
    async fn topic_has_all(&self) -> usize {
        let settings = self.journal.clone().unwrap();
        let journal = Journal::open(settings, Clock::system()).unwrap();
        let mut reader = journal.reader().unwrap();
        (0..PARTITIONS).for_each(|partition| reader.follow().from(partition, None).unwrap());
        let heads = self.log.heads();
        let (mut seen, mut repeated) = (HashMap::<ConversationId, Seq>::new(), 0);
        let deadline = Instant::now() + PATIENCE;
        while seen != heads {
            let entries = tokio::time::timeout(Duration::from_secs(20), reader.next()).await;
            let Ok(Some(entries)) = entries else {
                let missing = heads.iter().filter(|(id, head)| seen.get(id) != Some(head));
                panic!("the topic ends early: {:?}", missing.take(5).collect::<Vec<_>>());
            };
            for entry in entries {
                let last = seen.entry(entry.event.conversation).or_default();
                if entry.event.seq <= *last {
                    repeated += 1;
                    continue;
                }
                let (id, seq) = (entry.event.conversation, entry.event.seq);
                assert_eq!(seq, *last + 1, "a hole in {id}");
                *last = seq;
            }
            assert!(Instant::now() < deadline, "the topic is not read in time");
        }
        repeated
    }
}

impl Node {
    fn all(&self, mode: Mode) -> bool {
        let figures = self.pipeline.figures();
        figures.len() == usize::from(PARTITIONS)
            && figures.iter().all(|figures| figures.mode == Some(mode))
    }

    async fn goes(&self, mode: Mode) {
        eventually(&format!("all partitions go {mode:?}"), async || self.all(mode)).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// As by `kill -9`: nothing is flushed, no lease is given back.
    async fn dies(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_journal_the_log_goes_to_sql_and_is_trimmed() {
    let Some(scene) = Scene::new(None).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let node = scene.node(dir.path()).await;
    scene.say(5000, 10).await;
    scene.sql_has_all().await;
    eventually("the log is trimmed", async || scene.log.len() == 0).await;
    node.stop().await;
    // A restart finds where it was.
    let node = scene.node(dir.path()).await;
    scene.say(500, 10).await;
    scene.sql_has_all().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_turned_on_later_loses_and_doubles_nothing() {
    let Some(brokers) = kefu_servers::named("KEFU_TEST_KAFKA") else { return };
    let Some(mut scene) = Scene::new(None).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let node = scene.node(dir.path()).await;
    scene.say(1000, 10).await;
    scene.sql_has_all().await;
    node.dies().await;
    // Said while nobody moved anything.
    scene.say(200, 10).await;
    let before: u64 = 1000 / CONVERSATIONS;
    scene.journal = Some(topic(&brokers));
    let node = scene.node(dir.path()).await;
    scene.say(1000, 10).await;
    scene.sql_has_all().await;
    let journal = Journal::open(scene.journal.clone().unwrap(), Clock::system()).unwrap();
    let mut reader = journal.reader().unwrap();
    (0..PARTITIONS).for_each(|partition| reader.follow().from(partition, None).unwrap());
    let mut seen = Vec::new();
    while seen.len() < 1200 {
        let next = tokio::time::timeout(PATIENCE, reader.next()).await.unwrap().unwrap();
        seen.extend(next.into_iter().map(|e| (e.event.conversation, e.event.seq)));
    }
    seen.sort();
    let after = |id| (before + 1..=before + 30).map(move |seq| (id, seq));
    let ids = (1..=CONVERSATIONS).map(|id| ConversationId::new(id).unwrap());
    assert_eq!(seen, ids.flat_map(after).collect::<Vec<_>>());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_half_way_is_followed_without_a_hole() {
    let Some(brokers) = kefu_servers::named("KEFU_TEST_KAFKA") else { return };
    let Some(scene) = Scene::new(Some(topic(&brokers))).await else { return };
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = scene.node(here.path()).await;
    eventually("the first has all", async || first.all(Mode::Direct)).await;
    let second = scene.node(there.path()).await;
    scene.say(5000, 5).await;
    first.dies().await;
    scene.say(5000, 5).await;
    eventually("the second has all", async || second.all(Mode::Direct)).await;
    scene.say(1000, 5).await;
    scene.sql_has_all().await;
    scene.topic_has_all().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_away_is_spooled_and_then_drained_once_and_in_order() {
    let Some((mut kafka, _alone)) = own_kafka("spooled-kafka").await else { return };
    let Some(scene) = Scene::new(Some(topic(&kafka.brokers()))).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let node = scene.node(dir.path()).await;
    scene.say(4000, 4).await;
    node.goes(Mode::Direct).await;
    kafka.kill();
    scene.say(8000, 4).await;
    node.goes(Mode::Spool).await;
    scene.say(2000, 4).await;
    scene.sql_has_all().await;
    assert!(node.pipeline.figures().iter().any(|figures| figures.spooled > 0));
    kafka.restart().unwrap();
    let talking = scene.say(8000, 2);
    let back = async {
        node.goes(Mode::Direct).await;
    };
    tokio::join!(talking, back);
    scene.say(1000, 4).await;
    scene.sql_has_all().await;
    // What was on its way when the broker died may stand there twice, not what was spooled.
    let repeated = scene.topic_has_all().await;
    assert!(repeated < 3000, "{repeated} twice");
    let left: u64 = node.pipeline.figures().iter().map(|figures| figures.spooled).sum();
    assert_eq!(left, 0);
    eventually("the log is trimmed", async || scene.log.len() == 0).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_nodes_spool_held_comes_from_sql() {
    let Some((mut kafka, _alone)) = own_kafka("refill-kafka").await else { return };
    let Some(scene) = Scene::new(Some(topic(&kafka.brokers()))).await else { return };
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = scene.node(here.path()).await;
    first.goes(Mode::Direct).await;
    scene.say(2000, 4).await;
    kafka.kill();
    scene.say(4000, 4).await;
    first.goes(Mode::Spool).await;
    scene.sql_has_all().await;
    eventually("the log is trimmed", async || scene.log.len() == 0).await;
    first.dies().await;
    drop(here);
    // The next owner comes while Kafka is away, and knows neither what it has nor what was spooled.
    let second = scene.node(there.path()).await;
    scene.say(1000, 4).await;
    second.goes(Mode::Spool).await;
    kafka.restart().unwrap();
    second.goes(Mode::Direct).await;
    scene.say(1000, 4).await;
    scene.sql_has_all().await;
    scene.topic_has_all().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_restarts_drains_its_own_spool() {
    let Some((mut kafka, _alone)) = own_kafka("own-spool-kafka").await else { return };
    let Some(scene) = Scene::new(Some(topic(&kafka.brokers()))).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let first = scene.node(dir.path()).await;
    scene.say(2000, 4).await;
    first.goes(Mode::Direct).await;
    kafka.kill();
    scene.say(4000, 4).await;
    first.goes(Mode::Spool).await;
    scene.sql_has_all().await;
    first.dies().await;
    scene.say(500, 4).await;
    kafka.restart().unwrap();
    let second = scene.node(dir.path()).await;
    eventually("the spool is drained", async || second.all(Mode::Direct)).await;
    scene.say(500, 4).await;
    scene.sql_has_all().await;
    scene.topic_has_all().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_is_told_and_holds_up_neither_sql_nor_the_stream() {
    let Some((mut kafka, _alone)) = own_kafka("full-spool-kafka").await else { return };
    let Some(mut scene) = Scene::new(Some(topic(&kafka.brokers()))).await else { return };
    scene.spool_bytes = 200_000;
    let dir = tempfile::tempdir().unwrap();
    let node = scene.node(dir.path()).await;
    scene.say(1000, 4).await;
    node.goes(Mode::Direct).await;
    kafka.kill();
    scene.say(8000, 4).await;
    node.goes(Mode::Spool).await;
    scene.say(4000, 4).await;
    scene.sql_has_all().await;
    assert!(node.pipeline.figures().iter().any(|figures| figures.spool_full));
    assert!(scene.log.len() > 0, "what is nowhere but in SQL is not trimmed");
    kafka.restart().unwrap();
    node.goes(Mode::Direct).await;
    scene.sql_has_all().await;
    scene.topic_has_all().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_sql_is_away_the_topic_goes_on_and_sql_catches_up() {
    let Some(brokers) = kefu_servers::named("KEFU_TEST_KAFKA") else { return };
    if kefu_servers::named("KEFU_TEST_POSTGRES").is_none() {
        return;
    }
    let mut sql = kefu_servers::Postgres::start(&target().join("servers/road-postgres")).unwrap();
    let scene = Scene::on(&sql.url("postgres"), Some(topic(&brokers))).await;
    let dir = tempfile::tempdir().unwrap();
    let node = scene.node(dir.path()).await;
    node.goes(Mode::Direct).await;
    scene.say(1000, 4).await;
    scene.sql_has_all().await;
    sql.kill();
    scene.say(9000, 4).await;
    scene.topic_has_all().await;
    assert!(scene.log.len() >= 9000, "nothing is trimmed that SQL has not got");
    sql.restart().unwrap();
    scene.sql_has_all().await;
    eventually("the log is trimmed", async || scene.log.len() == 0).await;
    node.stop().await;
}
