//! Dialogues on both carriers, killed in the middle; and the checker turned red by builds that break a promise.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kefu_tests::checker::{self, Findings};
use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::dialogues;
use kefu_tests::server::{Server, Setup};
use kefu_tests::talk::{self, Desk, Progress};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_the_middle_loses_nothing() -> anyhow::Result<()> {
    let all = dialogues::usual()?;
    let step = (all.len() / 60).max(1);
    let some: Vec<_> = all.into_iter().step_by(step).take(60).collect();
    let turns: usize = some.iter().map(|dialogue| dialogue.turns.len()).sum();
    let setup = Setup { agents: 4, capacity: 100, ..Setup::default() }.unlimited();
    let mut server = Server::start(setup).await?;
    let desk = Desk::open(&server, 4).await?.thinking(Duration::from_millis(20));
    let progress = Arc::new(Progress::default());
    let replay = talk::replay(server.address, desk, some, 30, Arc::clone(&progress));
    let replay = kefu::runtime::spawn(replay);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while progress.messages.load(Ordering::Relaxed) < turns / 2 {
        assert!(tokio::time::Instant::now() < deadline, "half is never reached");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!replay.is_finished(), "it is the middle");
    server.kill();
    server.starts().await?;
    let replayed = replay.await??;
    let stream = checker::read_stream(&server.data_dir())?;
    let findings = checker::check(&replayed.logs, &stream);
    assert!(replayed.failed.is_empty(), "{:#?}\n{}", replayed.failed, server.log());
    assert!(findings.clean(), "{findings:#?}");
    assert_eq!(replayed.messages + replayed.blocked, turns);
    Ok(())
}

/// Talks to a build with a broken stream, kills it, and checks.
async fn sabotaged(how: &'static str) -> anyhow::Result<Findings> {
    let program = Path::new(env!("CARGO_BIN_EXE_kefu_sabotaged")).to_owned();
    let setup = Setup { program: Some(program), ..Setup::default() }.unlimited();
    let mut server = Server::start(setup.with("KEFU_SABOTAGE", how)).await?;
    let token = server.visitor_token().await?;
    let options = Options::new(server.address, &token, Carrier::WebSocket);
    let visitor = Client::connect(options).await?;
    let conversation = visitor.opens().await?;
    for n in 0..20 {
        let key = visitor.drafts_in(&conversation, &format!("line {n}"));
        visitor.acked(&key).await?;
        visitor.repeats(&key)?;
        visitor.settles().await?;
    }
    server.kill();
    let stream = checker::read_stream(&server.data_dir())?;
    Ok(checker::check(&[visitor.log()], &stream))
}

#[tokio::test]
async fn the_checker_is_green_for_the_same_program_unbroken() -> anyhow::Result<()> {
    let findings = sabotaged("none").await?;
    assert!(findings.clean(), "{findings:#?}");
    Ok(())
}

#[tokio::test]
async fn an_ack_before_the_commit_turns_the_checker_red() -> anyhow::Result<()> {
    let findings = sabotaged("ack-before-commit").await?;
    assert!(findings.lost > 0, "{findings:#?}");
    Ok(())
}

#[tokio::test]
async fn ignoring_keys_turns_the_checker_red() -> anyhow::Result<()> {
    let findings = sabotaged("ignore-keys").await?;
    assert!(findings.doubled > 0, "{findings:#?}");
    Ok(())
}
