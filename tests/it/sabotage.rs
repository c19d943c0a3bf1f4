//! Builds that are broken on purpose, on the whole road and under the fault that shows it: the checker names what each
//! of them does, and finds nothing when the same happens to the same program unbroken.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use kefu_tests::checker::Findings;
use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::cluster::{Broker, Cluster, IN_TIME, NODES, PARTITIONS};
use kefu_tests::faults::{Break, Fault, Vendor};
use kefu_tests::http::{Ask, once};
use kefu_tests::server::Server;
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// Everything that happened before has settled by then, or never will.
const SOON: Duration = Duration::from_secs(15);
/// Kafka is believed to be away, and to be back, sooner than by default.
const SOONER: [(&str, &str); 2] = [("KEFU__KAFKA__DOWN_AFTER", "1s"), ("KEFU__KAFKA__DWELL", "1s")];
/// What was said.
const LINES: usize = 12;

/// An archive without a memory: it takes whatever comes for new, and nothing keeps it from writing it.
const FORGETS: &str = "ALTER TABLE events DROP CONSTRAINT events_pkey;
CREATE FUNCTION forgets() RETURNS trigger AS 'BEGIN NEW.head := 0; RETURN NEW; END' LANGUAGE plpgsql;
CREATE TRIGGER forgets BEFORE UPDATE ON event_heads FOR EACH ROW EXECUTE FUNCTION forgets()";

/// Nodes of the program that can be broken; it is whole as yet.
async fn whole(name: &str, broker: Broker, lease: &str) -> anyhow::Result<Option<Cluster>> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_kefu_sabotaged"));
    let own = [("KEFU_SABOTAGE", "none"), ("KEFU__CLUSTER__LEASE", lease)];
    Cluster::of(Some(program), name, broker, &[SOONER, own].concat()).await
}

/// All nodes stop, in order, so that nobody waits for their leases; next time they are broken like this.
async fn stops(cluster: &mut Cluster, how: &str) -> anyhow::Result<()> {
    for node in &cluster.nodes {
        node.is_told_to_stop()?;
    }
    for node in &mut cluster.nodes {
        node.ends(IN_TIME).await?;
        node.sets("KEFU_SABOTAGE", how);
    }
    Ok(())
}

/// From now on all nodes are broken like this.
async fn breaks(cluster: &mut Cluster, how: &str) -> anyhow::Result<()> {
    stops(cluster, how).await?;
    try_join_all(cluster.nodes.iter_mut().map(Server::starts)).await?;
    Ok(())
}

/// A visitor at the first node, and its conversation.
async fn visitor(cluster: &Cluster) -> anyhow::Result<(Client, String)> {
    let token = cluster.nodes[0].visitor_token().await?;
    let mut options = Options::new(cluster.visitors.address, &token, Carrier::WebSocket);
    options.patience = Duration::from_secs(60);
    let visitor = Client::connect(options).await?;
    let conversation = visitor.opens().await?;
    Ok((visitor, conversation))
}

/// Each line is acked before the next; the number of the last.
async fn says(visitor: &Client, conversation: &str, about: &str) -> anyhow::Result<u64> {
    let mut last = 0;
    for n in 0..LINES {
        last = visitor.says_in(conversation, &format!("{about}, line {n}")).await?.seq;
    }
    Ok(last)
}

/// What is found once everything has settled, or does not.
async fn found(cluster: &Cluster, visitor: &Client) -> anyhow::Result<Findings> {
    let _ = cluster.settles(SOON).await;
    cluster.found(&[visitor.log()], SOON)
}

fn says_so(findings: &Findings, words: &str) -> bool {
    findings.words.iter().any(|found| found.contains(words))
}

/// Waits until the answer is this.
async fn until(
    what: &str,
    mut asks: impl AsyncFnMut() -> anyhow::Result<String>,
    wanted: &str,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + IN_TIME;
    loop {
        let answer = asks().await;
        if answer.as_ref().is_ok_and(|answer| answer == wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "never {what}: {answer:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a node's road is like this.
async fn until_road(what: &str, node: &Server, like: fn(&Value) -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + IN_TIME;
    loop {
        let ready = once(node.address, Ask::get("/health/ready")).await.map(|answer| answer.json);
        if ready.as_ref().is_ok_and(|ready| like(&ready["road"])) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "never {what}: {ready:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Everything is acked, and right then the node dies.
async fn a_node_dies(cluster: &mut Cluster) -> anyhow::Result<Findings> {
    let (visitor, conversation) = visitor(cluster).await?;
    says(&visitor, &conversation, "to a node that dies").await?;
    cluster.suffers(Fault::NodeDies(0))?;
    cluster.recovers(Fault::NodeDies(0)).await?;
    found(cluster, &visitor).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_before_redis_has_it_turns_the_checker_red() -> anyhow::Result<()> {
    let Some(mut cluster) = whole("sabotage-ack", Broker::Shared, "2s").await? else {
        return Ok(());
    };
    let findings = a_node_dies(&mut cluster).await?;
    assert!(findings.clean() && findings.acked > LINES, "{findings:#?}");
    breaks(&mut cluster, "ack-before-commit").await?;
    let findings = a_node_dies(&mut cluster).await?;
    assert!(findings.lost >= LINES, "{findings:#?}");
    assert!(says_so(&findings, "nothing at seq"), "{findings:#?}");
    Ok(())
}

/// SQL takes nothing, what is acked waits, and then all nodes die.
async fn sql_is_away_and_all_nodes_die(cluster: &mut Cluster) -> anyhow::Result<Findings> {
    let (visitor, conversation) = visitor(cluster).await?;
    says(&visitor, &conversation, "before").await?;
    cluster.settles(IN_TIME).await?;
    cluster.suffers(Fault::Dies(Vendor::Postgres))?;
    says(&visitor, &conversation, "while SQL is away").await?;
    // Longer than the archive leaves the log unread.
    sleep(Duration::from_secs(1)).await;
    for node in 0..NODES {
        cluster.suffers(Fault::NodeDies(node))?;
    }
    cluster.recovers(Fault::Dies(Vendor::Postgres)).await?;
    try_join_all(cluster.nodes.iter_mut().map(Server::starts)).await?;
    found(cluster, &visitor).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trim_before_sql_has_it_turns_the_checker_red() -> anyhow::Result<()> {
    let Some(mut cluster) = whole("sabotage-trim", Broker::None, "2s").await? else {
        return Ok(());
    };
    let findings = sql_is_away_and_all_nodes_die(&mut cluster).await?;
    assert!(findings.clean() && findings.acked > LINES, "{findings:#?}");
    breaks(&mut cluster, "trim-before-commit").await?;
    let findings = sql_is_away_and_all_nodes_die(&mut cluster).await?;
    assert!(findings.lost >= LINES, "{findings:#?}");
    for words in ["nothing at seq", "in Redis: not in SQL", "Redis is at seq"] {
        assert!(says_so(&findings, words), "{words}: {findings:#?}");
    }
    Ok(())
}

/// The first node has all partitions and spools, because it does not reach Kafka. The others, which do, sleep for a
/// while, though for less than a lease.
async fn others_sleep(cluster: &mut Cluster) -> anyhow::Result<Findings> {
    let link = Fault::Link(0, Vendor::Kafka, Break::Cut);
    let (visitor, conversation) = visitor(cluster).await?;
    cluster.suffers(link)?;
    says(&visitor, &conversation, "over the spool").await?;
    until_road("spooling", &cluster.nodes[0], |road| road["spool"].as_u64() > Some(0)).await?;
    cluster.settles(IN_TIME).await?;
    // Nobody else is still writing the same to SQL: a sleeper would hold its rows.
    sleep(Duration::from_millis(500)).await;
    for node in &cluster.nodes[1..] {
        node.freezes()?;
    }
    says(&visitor, &conversation, "while others sleep").await?;
    cluster.settles(IN_TIME).await?;
    until("trimmed", async || Ok(cluster.logged()?.to_string()), "0").await?;
    for node in &cluster.nodes[1..] {
        node.thaws()?;
    }
    // Over more than one trim, which may come before whoever has woken up.
    for n in 0..4 {
        visitor.says_in(&conversation, &format!("all awake, line {n}")).await?;
        sleep(Duration::from_millis(400)).await;
    }
    cluster.recovers(link).await?;
    let drained = |road: &Value| {
        road["spool"] == 0
            && road["spool_bytes"].as_u64().is_some_and(|many| many <= 8 * PARTITIONS)
    };
    until_road("drained", &cluster.nodes[0], drained).await?;
    found(cluster, &visitor).await
}

/// The first node, started before the others, has all partitions.
async fn first_has_all(cluster: &mut Cluster, how: &str) -> anyhow::Result<()> {
    stops(cluster, how).await?;
    let (first, others) = cluster.nodes.split_first_mut().context("nodes")?;
    first.starts().await?;
    until_road("the only owner", first, |road| road["direct"] == PARTITIONS).await?;
    try_join_all(others.iter_mut().map(Server::starts)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "its pauses were too short twice beside other work: by hand, `cargo xtask test -- --ignored a_relay_without`"]
async fn a_relay_without_fencing_turns_the_checker_red() -> anyhow::Result<()> {
    let Some(mut cluster) = whole("sabotage-fence", Broker::Own, "30s").await? else {
        return Ok(());
    };
    first_has_all(&mut cluster, "none").await?;
    let findings = others_sleep(&mut cluster).await?;
    assert!(findings.clean() && findings.acked > 2 * LINES, "{findings:#?}");
    first_has_all(&mut cluster, "no-fencing").await?;
    let findings = others_sleep(&mut cluster).await?;
    assert!(findings.reordered > 0, "{findings:#?}");
    assert!(says_so(&findings, "in the topic: after"), "{findings:#?}");
    Ok(())
}

/// Nothing happens to anyone.
async fn people_talk(cluster: &Cluster) -> anyhow::Result<Findings> {
    let (visitor, conversation) = visitor(cluster).await?;
    let last = says(&visitor, &conversation, "twice or once").await?.to_string();
    let head = format!("SELECT max(seq) FROM events WHERE conversation = {conversation}");
    until("archived", async || cluster.postgres.ask(&head), &last).await?;
    // What comes again comes by the next look at the log.
    sleep(Duration::from_secs(1)).await;
    cluster.found(&[visitor.log()], SOON)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_ignores_duplicates_turns_the_checker_red() -> anyhow::Result<()> {
    let Some(mut cluster) = whole("sabotage-twice", Broker::None, "2s").await? else {
        return Ok(());
    };
    breaks(&mut cluster, "read-twice").await?;
    let findings = people_talk(&cluster).await?;
    assert!(findings.clean(), "SQL knows what comes twice: {findings:#?}");
    cluster.postgres.ask(FORGETS)?;
    breaks(&mut cluster, "none").await?;
    let findings = people_talk(&cluster).await?;
    assert!(findings.clean(), "nothing comes twice: {findings:#?}");
    breaks(&mut cluster, "read-twice").await?;
    let findings = people_talk(&cluster).await?;
    // How many depends on how much of the log one look brings.
    assert!(findings.doubled > 0, "{findings:#?}");
    Ok(())
}
