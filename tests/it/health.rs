//! What a node says of itself: whether it may work, what it has to do without, how warm it is — to balancers, to figures,
//! to the doctor, and to those who supervise.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use kefu::runtime::{Clock, fresh_id};
use kefu_servers::{Database, named};
use kefu_tests::client::Carrier;
use kefu_tests::http::{Answer, Ask, once};
use kefu_tests::proxy::Proxy;
use kefu_tests::server::{Server, Setup};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

const IN_TIME: Duration = Duration::from_secs(40);

async fn ready(server: &Server) -> anyhow::Result<Answer> {
    server.asks(Ask::get("/health/ready")).await
}

/// Asks until it says what is wanted.
async fn says(server: &Server, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let begun = Instant::now();
    loop {
        let Answer { json, .. } = ready(server).await?;
        if wanted(&json) {
            return Ok(json);
        }
        anyhow::ensure!(begun.elapsed() < IN_TIME, "it still says {json}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn doctor(server: &Server, settings: &[(&str, String)]) -> anyhow::Result<String> {
    let mut doctor = Command::new(server.program());
    let dir = server.data_dir();
    doctor.args(["--data-dir", &dir.to_string_lossy(), "doctor"]).current_dir(&dir);
    let output = doctor.envs(settings.iter().map(|(name, value)| (name, value))).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn steps(ready: &Value) -> Vec<(&str, bool)> {
    let steps = ready["warm_up"]["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let good = |step: &Value| step.get("failure").is_none();
    steps.iter().map(|step| (step["step"].as_str().unwrap_or_default(), good(step))).collect()
}

#[tokio::test]
async fn a_node_is_ready_when_it_is_warm_and_says_how_it_got_so() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let answer = ready(&server).await?;
    assert_eq!((answer.status, &answer.json["status"]), (200, &json!("ready")));
    let all = [("storage", true), ("stream", true), ("plugins", true), ("room", true)];
    assert_eq!(steps(&answer.json), all);
    assert_eq!(answer.json["outages"], json!([]));
    let figures = server.asks(Ask::get("/metrics")).await?.text;
    for line in ["kefu_warmup_good{step=\"plugins\"} 1\n", "kefu_outage{part=\"storage\"} 0\n"] {
        assert!(figures.contains(line), "{line} is not in {figures}");
    }
    for name in ["kefu_warmup_age_seconds ", "kefu_warmup_seconds{step=\"storage\"} "] {
        assert!(figures.contains(name), "{name} is not in {figures}");
    }
    let said = doctor(&server, &[])?;
    assert!(said.contains("ok     work: it takes work"), "{said}");
    assert!(said.contains("ok     warm-up: ") && said.contains(", storage "), "{said}");
    // A stranger learns whether it works, and no more.
    let stranger = Ask::get("/health/ready").header("x-forwarded-for", "203.0.113.9");
    let told = server.asks(stranger).await?;
    assert_eq!(told.json, json!({ "status": "ready", "outages": [] }));
    Ok(())
}

/// Redis and PostgreSQL, the latter behind a proxy.
struct Place {
    database: Database,
    sql: Proxy,
    setup: Setup,
}

impl Place {
    /// `None`, and noted as skipped, where a server is missing.
    async fn new() -> anyhow::Result<Option<Self>> {
        let (Some(sql), Some(redis)) = (named("KEFU_TEST_POSTGRES"), named("KEFU_TEST_REDIS"))
        else {
            return Ok(None);
        };
        let database = Database::fresh(&sql)?;
        let url = database.url();
        let (host, name) = url.rsplit_once('/').context("a database has a name")?;
        let (user, port) = host.rsplit_once(':').context("a server has a port")?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
        let sql = Proxy::to(to).await?;
        let user = user.rsplit_once('@').map_or(user, |(user, _)| user);
        let near = format!("{user}@{}/{name}", sql.address);
        let mut setup = Setup::default()
            .with("KEFU__STORAGE__URL", &near)
            .with("KEFU__REDIS__URL", &redis)
            .with("KEFU__REDIS__PREFIX", &format!("health{}", fresh_id(&Clock::system())));
        setup.database = Some(url);
        Ok(Some(Self { database, sql, setup }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_degraded_not_dead_and_supervisors_are_told() -> anyhow::Result<()> {
    let Some(Place { database: _database, sql, setup }) = Place::new().await? else {
        return Ok(());
    };
    let server = Server::start(setup).await?;
    let boss = server.agent("admin", Carrier::WebSocket).await?;
    let agent = server.agent("agent1", Carrier::LongPoll).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    agent.sees(&conversation, "assigned").await?;
    // A talk that has begun on this node; one it knows nothing of yet needs its row.
    visitor.says("hello").await?;
    agent.hears("hello").await?;
    sql.cut();
    let degraded = says(&server, |ready| ready["status"] == "degraded").await?;
    assert_eq!(degraded["outages"][0]["part"], "storage");
    assert!(degraded["road"]["none"].as_u64().is_some_and(|many| many > 0), "{degraded}");
    assert_eq!(ready(&server).await?.status, 200);
    let out = |frame: &Value| frame["outages"][0]["part"] == "storage";
    boss.is_told("outages", out).await?;
    // What needs no row goes on, figures too.
    visitor.says("still there?").await?;
    agent.hears("still there?").await?;
    let figures = server.asks(Ask::get("/metrics")).await?;
    assert_eq!(figures.status, 200);
    assert!(figures.text.contains("kefu_outage{part=\"storage\"} 1\n"), "{}", figures.text);
    sql.passes();
    says(&server, |ready| ready["status"] == "ready").await?;
    boss.is_told("outages", |frame| frame["outages"] == json!([])).await?;
    let told = agent.until("what it may know", |state| {
        Some(state.signals.iter().any(|frame| frame["type"] == "outages"))
    });
    assert!(!told.await?, "an agent has other worries");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_broker_keeps_a_node_out_for_so_long_and_no_longer() -> anyhow::Result<()> {
    let Some(Place { database: _database, sql: _sql, setup }) = Place::new().await? else {
        return Ok(());
    };
    // Takes connections and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let brokers = silent.local_addr()?.to_string();
    let setup =
        setup.with("KEFU__KAFKA__BROKERS", &brokers).with("KEFU__WARMUP__PATIENCE", "1500ms");
    let settings = setup.settings.clone();
    let mut server = Server::start(setup).await?;
    let address = server.address;
    server.kill();
    let statuses = async {
        let mut seen = Vec::new();
        while seen.last() != Some(&200) {
            if let Ok(answer) = once(address, Ask::get("/health/ready")).await {
                if answer.status == 503 {
                    assert_eq!(answer.json["error"]["message"], "it is getting warm");
                    assert_eq!(answer.json["status"], "unready");
                }
                seen.push(answer.status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        seen
    };
    let (started, statuses) = tokio::join!(server.starts(), statuses);
    started?;
    assert_eq!(statuses.first(), Some(&503), "{statuses:?}");
    let late = ready(&server).await?.json;
    assert_eq!(late["status"], "degraded");
    let all = [
        ("storage", true),
        ("stream", true),
        ("journal", false),
        ("plugins", true),
        ("room", true),
    ];
    assert_eq!(steps(&late), all);
    let out = says(&server, |ready| ready["outages"][0]["part"] == "journal").await?;
    assert!(out["road"]["spool"].as_u64().is_some(), "{out}");
    let begun = Instant::now();
    let said = doctor(&server, &settings)?;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}: {said}", begun.elapsed());
    for words in [
        &format!("WRONG  kafka: {brokers}: "),
        "WRONG  work: it takes work without journal",
        "WRONG  warm-up: ",
        "journal: it took longer than 1.5s (warmup.patience)",
        "ok     redis clock: within",
        "memory: ",
        "waiting connections: ",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_knows_kafka_and_a_second_server_on_the_same_folder_is_refused()
-> anyhow::Result<()> {
    let (Some(Place { database: _database, sql: _sql, setup }), Some(brokers)) =
        (Place::new().await?, named("KEFU_TEST_KAFKA"))
    else {
        return Ok(());
    };
    let topic = format!("health{:016x}", u64::from_le_bytes(kefu::runtime::random_bytes()));
    let setup = setup.with("KEFU__KAFKA__BROKERS", &brokers).with("KEFU__KAFKA__TOPIC", &topic);
    let settings = setup.settings.clone();
    let server = Server::start(setup).await?;
    let said = doctor(&server, &settings)?;
    for words in [
        &format!("ok     kafka: {brokers}, brokers there: 1"),
        &format!("note   kafka topic: {topic}, 16 partitions, copies of each: 1"),
        "min.insync.replicas 1",
        "ok     warm-up: ",
        "journal ",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let mut second = Command::new(server.program());
    let dir = server.data_dir();
    second.args(["--data-dir", &dir.to_string_lossy(), "serve", "--listen", "127.0.0.1:0"]);
    let envs = settings.iter().map(|(name, value)| (name, value));
    let output = second.current_dir(&dir).envs(envs).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("another process uses the spool in"), "{said}");
    Ok(())
}
