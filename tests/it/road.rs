//! The whole road in one program: Redis, Kafka and PostgreSQL are real. What people said is in SQL and in the topic, and
//! is still theirs after the node was killed.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kefu::journal::{Journal, JournalSettings};
use kefu::runtime::Clock;
use kefu_servers::{Database, named};
use kefu_tests::client::Carrier;
use kefu_tests::server::{Server, Setup};

const IN_TIME: Duration = Duration::from_secs(60);
const PARTITIONS: u16 = 16;

/// Names and places of one installation.
struct Place {
    database: Database,
    redis: String,
    kafka: Option<String>,
    name: String,
}

impl Place {
    /// `None`, and noted as skipped, where a server is missing.
    fn new(with_kafka: bool) -> anyhow::Result<Option<Self>> {
        let (Some(sql), Some(redis)) = (named("KEFU_TEST_POSTGRES"), named("KEFU_TEST_REDIS"))
        else {
            return Ok(None);
        };
        let kafka = if with_kafka { named("KEFU_TEST_KAFKA") } else { None };
        if with_kafka && kafka.is_none() {
            return Ok(None);
        }
        let name = format!("road{:016x}", u64::from_le_bytes(kefu::runtime::random_bytes()));
        Ok(Some(Self { database: Database::fresh(&sql)?, redis, kafka, name }))
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("KEFU__STORAGE__URL", self.database.url()),
            ("KEFU__REDIS__URL", self.redis.clone()),
            ("KEFU__REDIS__PREFIX", self.name.clone()),
            ("KEFU__CLUSTER__LEASE", "2s".into()),
        ];
        if let Some(kafka) = &self.kafka {
            settings.push(("KEFU__KAFKA__BROKERS", kafka.clone()));
            settings.push(("KEFU__KAFKA__TOPIC", self.name.clone()));
        }
        settings
    }

    fn setup(&self) -> Setup {
        Setup { settings: self.settings(), database: Some(self.database.url()), ..Setup::default() }
    }

    /// Asks SQL until it answers so.
    fn sql_says(&self, question: &str, answer: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let said = self.database.ask(question)?;
            if said == answer {
                return Ok(());
            }
            anyhow::ensure!(begun.elapsed() < IN_TIME, "{question}: {said}, not {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Reads the topic by the rule of docs/JOURNAL.md until `done`, which sees the last number of each conversation and
    /// how many records there were, those that came again included; tells how many.
    async fn topic(
        &self,
        done: impl Fn(&BTreeMap<String, u64>, u64) -> bool,
    ) -> anyhow::Result<u64> {
        let settings = JournalSettings {
            brokers: self.kafka.clone().unwrap_or_default(),
            topic: self.name.clone(),
            partitions: PARTITIONS,
            replication: 0,
            linger_ms: 1,
            in_flight: 1000,
            in_flight_kib: 1024,
        };
        let journal = Journal::open(settings, Clock::system())?;
        let mut reader = journal.reader()?;
        for partition in 0..PARTITIONS {
            reader.follow().from(partition, None)?;
        }
        let (mut last, mut records) = (BTreeMap::new(), 0);
        while !done(&last, records) {
            let entries = tokio::time::timeout(IN_TIME, reader.next()).await;
            let entries = entries.with_context(|| format!("{records} records, {last:?}"))?;
            for entry in entries.unwrap_or_default() {
                let (id, seq) = (entry.event.conversation.to_string(), entry.event.seq);
                let before = last.entry(id).or_default();
                anyhow::ensure!(seq <= *before + 1, "a hole after {before}: {seq}");
                *before = seq.max(*before);
                records += 1;
            }
        }
        Ok(records)
    }
}

/// A talk from opening to closing; its conversation, and how many events it has.
async fn talk(server: &Server) -> anyhow::Result<(String, u64)> {
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    visitor.sees(&conversation, "assigned").await?;
    visitor.says("你好").await?;
    agent.hears("你好").await?;
    agent.says("hello").await?;
    visitor.hears("hello").await?;
    let closed = agent.closes(&conversation).await?;
    visitor.reaches(&conversation, closed.seq).await?;
    Ok((conversation, closed.seq))
}

async fn is_archived(place: &Place, conversation: &str, many: u64) -> anyhow::Result<()> {
    let of = format!("FROM events WHERE conversation = {conversation}");
    let dense = format!("{many}|{many}");
    place.sql_says(&format!("SELECT count(*), max(seq) {of}"), &dense)?;
    // Closed conversations go on to inspection once they are archived.
    let reports = format!("SELECT count(*) FROM reports WHERE conversation = {conversation}");
    place.sql_says(&reports, "1")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_say_reaches_sql_and_the_topic_also_over_a_kill() -> anyhow::Result<()> {
    let Some(place) = Place::new(true)? else { return Ok(()) };
    let mut server = Server::start(place.setup()).await?;
    let (first, many) = talk(&server).await?;
    is_archived(&place, &first, many).await?;
    server.kill();
    server.starts().await?;
    let (second, more) = talk(&server).await?;
    is_archived(&place, &second, more).await?;
    let all = |last: &BTreeMap<String, u64>| {
        last.get(&first) == Some(&many) && last.get(&second) == Some(&more)
    };
    let records = place.topic(|last, _| all(last)).await?;
    assert_eq!(records, many + more, "nothing comes twice where nothing was lost");

    let mut republish = Command::new(server.program());
    republish.args(["journal", "republish", "--since", "1h"]).current_dir(server.data_dir());
    let output = republish.envs(place.settings()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("{} events since", many + more)), "{said}");
    place.topic(|last, records| all(last) && records >= 2 * (many + more)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_and_postgres_alone_are_enough() -> anyhow::Result<()> {
    let Some(place) = Place::new(false)? else { return Ok(()) };
    let server = Server::start(place.setup()).await?;
    let (conversation, many) = talk(&server).await?;
    is_archived(&place, &conversation, many).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_another_shape_stops_the_start_and_says_why() -> anyhow::Result<()> {
    let Some(place) = Place::new(true)? else { return Ok(()) };
    let mut server = Server::start(place.setup()).await?;
    server.kill();
    // Another installation on the same topic, divided otherwise.
    server.sets("KEFU__REDIS__PREFIX", &format!("{}-other", place.name));
    server.sets("KEFU__CLUSTER__PARTITIONS", "4");
    let refused = server.starts().await.unwrap_err().to_string();
    assert!(refused.contains("has 16 partitions, and cluster.partitions is 4"), "{refused}");
    Ok(())
}
