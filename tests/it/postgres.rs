//! PostgreSQL as an operator meets it: passwords that are never shown, what the doctor says, and a data directory copied
//! into it, interrupted, refused where it must be, and served from there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kefu_servers::{Database, named};
use kefu_tests::client::Carrier;
use kefu_tests::dialogues;
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup, program};
use kefu_tests::talk::{self, Desk, Progress};

fn database() -> anyhow::Result<Option<Database>> {
    named("KEFU_TEST_POSTGRES").map(|url| Database::fresh(&url)).transpose()
}

fn command(data: &Path, url: &str, args: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(program()?);
    command.args(["--data-dir", &data.to_string_lossy()]).args(args).current_dir("/");
    command.env("KEFU__STORAGE__URL", url).env("KEFU__SERVER__LISTEN", "127.0.0.1:0");
    Ok(command)
}

/// Runs `kefu` to its end and holds its exit code and words against what is expected.
fn says(
    data: &Path,
    url: &str,
    args: &[&str],
    code: i32,
    words: &[&str],
) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } = command(data, url, args)?.output()?;
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert_eq!(status.code(), Some(code), "kefu {}: {said}", args.join(" "));
    for word in words {
        assert!(said.contains(word), "kefu {}: no {word:?} in {said}", args.join(" "));
    }
    Ok(said)
}

#[test]
fn a_password_is_never_shown_and_a_server_that_is_away_is_told_soon() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let url = "postgres://kefu:s3cret@127.0.0.1:1/kefu";
    let begun = Instant::now();
    for (args, code, words) in [
        (["config", "print"].as_slice(), 0, ["storage.url", "kefu:***@127.0.0.1:1"].as_slice()),
        (&["doctor"], 1, &["WRONG  postgres: postgres://kefu:***@127.0.0.1:1/kefu"]),
        (&["serve"], 1, &["storage is unavailable"]),
        (&["migrate", "copy"], 1, &["kefu.db cannot be read: it is not there"]),
    ] {
        let said = says(dir.path(), url, args, code, words)?;
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn the_doctor_knows_the_database() -> anyhow::Result<()> {
    let Some(database) = database()? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let words =
        ["ok     postgres: ", "ping", "note   postgres tables: 0 of", "ok     postgres clock"];
    for _ in 0..2 {
        let said = says(dir.path(), &database.url(), &["doctor"], 0, &words)?;
        assert!(said.contains("note   data: no data yet"), "{said}");
    }
    says(dir.path(), &database.url(), &["migrate"], 0, &["up to date"])?;
    let words =
        ["ok     postgres commits: survive power loss", "ok     postgres tables", "ok     archive"];
    says(dir.path(), &database.url(), &["doctor"], 0, &words)?;
    database.ask(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
    )?;
    let words = ["note   postgres commits", "synchronous_commit = off", "last changes"];
    says(dir.path(), &database.url(), &["doctor"], 0, &words)?;
    database.ask("INSERT INTO event_conflicts VALUES (1, 1, 1, 0, 0, NULL, 1, '{}')")?;
    says(
        dir.path(),
        &database.url(),
        &["doctor"],
        1,
        &["WRONG  archive: 1 events", "event_conflicts"],
    )?;
    Ok(())
}

/// A data directory with some hundred conversations, and its server, stopped.
async fn talked() -> anyhow::Result<Server> {
    let mut all = dialogues::usual()?;
    all.truncate(200);
    let setup = Setup { agents: 4, capacity: 100, ..Setup::default() }.unlimited();
    let mut server = Server::start(setup).await?;
    let desk = Desk::open(&server, 4).await?;
    let replayed =
        talk::replay(server.address, desk, all, 50, Arc::new(Progress::default())).await?;
    assert!(replayed.failed.is_empty(), "{:?}", replayed.failed);
    server.is_told_to_stop()?;
    server.ends(Duration::from_secs(30)).await?;
    Ok(server)
}

/// Someone who holds something in the database, so that others wait.
struct Holder(Child);

impl Holder {
    fn of(database: &Database, what: &str) -> anyhow::Result<Self> {
        let mut psql = Command::new("psql");
        psql.args(["-XAtq", "-d", &database.url()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = psql.spawn()?;
        let sql = format!("BEGIN; {what}; SELECT 'held';\n");
        psql.stdin.as_mut().unwrap().write_all(sql.as_bytes())?;
        let lines = BufReader::new(psql.stdout.as_mut().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "held"));
        Ok(Self(psql))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a copy that must wait for what someone holds, and kills it there: where it says `sign`.
fn interrupted(data: &Path, database: &Database, held: &str, sign: &str) -> anyhow::Result<()> {
    let holder = Holder::of(database, held)?;
    let mut copy = command(data, &database.url(), &["migrate", "copy"])?;
    let mut copy = copy.stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(copy.stdout.take().unwrap()).lines();
    let reached = lines.map_while(Result::ok).any(|line| line.starts_with(sign));
    assert!(reached, "it ended before it said {sign}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while database.ask("SELECT count(*) FROM pg_locks WHERE NOT granted")? == "0" {
        assert!(Instant::now() < deadline, "it waits for nobody");
    }
    copy.kill()?;
    copy.wait()?;
    drop(holder);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_is_copied_whole_and_served_from_there() -> anyhow::Result<()> {
    let Some(database) = database()? else { return Ok(()) };
    let mut server = talked().await?;
    let (data, url) = (server.data_dir(), database.url());
    let copy = ["migrate", "copy"];
    server.starts().await?;
    says(&data, &url, &copy, 1, &["stop the server", "another process uses the stream"])?;
    server.kill();
    let foreign = Database::fresh(&named("KEFU_TEST_POSTGRES").unwrap())?;
    let elsewhere = tempfile::tempdir()?;
    says(elsewhere.path(), &foreign.url(), &["migrate"], 0, &["up to date"])?;
    says(&data, &foreign.url(), &copy, 1, &["not empty", "into an empty one"])?;

    // Once before the first row, once in the middle.
    let months = "SELECT pg_advisory_xact_lock(hashtext('public.events'))";
    interrupted(&data, &database, months, "copying ")?;
    interrupted(&data, &database, "LOCK TABLE decisions IN SHARE MODE", "decisions: 0 of")?;
    assert!(database.ask("SELECT count(*) FROM conversations")?.parse::<u32>()? > 150);
    assert_eq!(database.ask("SELECT count(*) FROM events")?, "0");
    let half = ["not finished", "kefu migrate copy"];
    says(elsewhere.path(), &url, &["serve"], 1, &half)?;

    let words =
        ["conversations: ", "rows agree, digest", "and verified", "files stays where it is"];
    let said = says(&data, &url, &copy, 0, &words)?;
    assert!(!said.contains("conversations: 0 of"), "what was copied is not copied again: {said}");
    says(&data, &url, &copy, 0, &["copied and verified before"])?;
    let kept = rusqlite::Connection::open(data.join("stream.db"))?;
    let events: i64 = kept.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    assert_eq!(database.ask("SELECT count(*) FROM events")?, events.to_string());
    assert_eq!(database.ask("SELECT sum(head) FROM event_heads")?, events.to_string());

    server.sets("KEFU__STORAGE__URL", &url);
    server.starts().await?;
    let admin = server.agent_token("admin").await?;
    let list = server.asks(Ask::get("/v1/conversations").bearer(&admin)).await?.ok()?;
    assert!(
        list.json["conversations"].as_array().is_some_and(|all| all.len() > 20),
        "{}",
        list.text
    );
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    visitor.opens().await?;
    visitor.says("still there?").await?;
    agent.hears("still there?").await?;
    Ok(())
}
