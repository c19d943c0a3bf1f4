//! Stopping and running out of room: what was acked stays, what was not is sent again, nobody is left without a word.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kefu_tests::bytes::Bytes;
use kefu_tests::checker;
use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::dialogues;
use kefu_tests::http::Ask;
use kefu_tests::raw::Raw;
use kefu_tests::server::{Server, Setup};
use kefu_tests::talk::{self, Desk, Progress};
use serde_json::json;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_says_goodbye_and_loses_nothing() -> anyhow::Result<()> {
    let all = dialogues::usual()?;
    let step = (all.len() / 60).max(1);
    let some: Vec<_> = all.into_iter().step_by(step).take(60).collect();
    let turns: usize = some.iter().map(|dialogue| dialogue.turns.len()).sum();
    let setup = Setup { agents: 4, capacity: 100, ..Setup::default() }.unlimited();
    let mut server = Server::start(setup).await?;
    let desk = Desk::open(&server, 4).await?.thinking(Duration::from_millis(20));
    let idle = server.visitor(Carrier::WebSocket).await?;
    let progress = Arc::new(Progress::default());
    let replay = talk::replay(server.address, desk, some, 30, Arc::clone(&progress));
    let replay = kefu::runtime::spawn(replay);
    let deadline = Instant::now() + Duration::from_secs(60);
    while progress.messages.load(Ordering::Relaxed) < turns / 2 {
        assert!(Instant::now() < deadline, "half is never reached");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!replay.is_finished(), "it is under load");
    server.is_told_to_stop()?;
    idle.is_told("bye", |bye| bye["code"] == "draining" && bye["reconnect_ms"].is_u64()).await?;
    assert_eq!(server.ends(Duration::from_secs(20)).await?, Some(0), "{}", server.log());
    server.starts().await?;
    let replayed = replay.await??;
    let stream = checker::read_stream(&server.data_dir())?;
    let findings = checker::check(&replayed.logs, &stream);
    assert!(replayed.failed.is_empty(), "{:#?}\n{}", replayed.failed, server.log());
    assert!(findings.clean(), "{findings:#?}");
    assert_eq!(replayed.messages + replayed.blocked, turns);
    Ok(())
}

/// A server in the middle of stopping: a request in hand holds it up.
async fn held_up(within: &str) -> anyhow::Result<(Server, Bytes)> {
    let setup = Setup::default().with("KEFU__SERVER__STOP_TIMEOUT", within);
    let server = Server::start(setup).await?;
    let mut bytes = Bytes::open(server.address).await?;
    bytes
        .sends(b"POST /v1/login HTTP/1.1\r\nhost: kefu\r\ncontent-type: application/json\r\n")
        .await?;
    bytes.sends(b"content-length: 100\r\n\r\n{").await?;
    let client = server.visitor(Carrier::WebSocket).await?;
    server.is_told_to_stop()?;
    client.is_told("bye", |bye| bye["code"] == "draining").await?;
    Ok((server, bytes))
}

#[tokio::test]
async fn a_stop_is_held_up_no_longer_than_configured() -> anyhow::Result<()> {
    let (mut server, _held) = held_up("1s").await?;
    assert_eq!(server.ends(Duration::from_secs(10)).await?, Some(0), "{}", server.log());
    Ok(())
}

#[tokio::test]
async fn told_twice_to_stop_it_stops_at_once() -> anyhow::Result<()> {
    let (mut server, _held) = held_up("60s").await?;
    server.is_told_to_stop()?;
    assert_eq!(server.ends(Duration::from_secs(5)).await?, Some(143), "{}", server.log());
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_said_not_acked_and_made_good_with_the_same_keys() -> anyhow::Result<()> {
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        let setup = Setup::default().unlimited().with("KEFU__STREAM__MAX_BYTES", "300000");
        let mut server = Server::start(setup).await?;
        let token = server.visitor_token().await?;
        let visitor = Client::connect(Options::new(server.address, &token, carrier)).await?;
        let conversation = visitor.opens().await?;
        let text = "x".repeat(4000);
        let keys: Vec<_> =
            (0..150).map(|n| visitor.drafts_in(&conversation, &format!("{n} {text}"))).collect();
        let told = visitor.is_told("error", |error| error["code"] == "unavailable").await?;
        let message = told["message"].as_str().unwrap_or_default();
        assert!(message.contains("disk full"), "{told}");
        assert!(told["retry_after_ms"].as_u64() > Some(0), "{told}");
        let refused = told["key"].as_str().unwrap_or_default().to_owned();
        assert!(keys.contains(&refused) && !visitor.log().acks.contains_key(&refused), "{told}");
        let kept = checker::read_stream(&server.data_dir())?;
        let findings = checker::check(&[visitor.log()], &kept);
        assert_eq!((findings.lost, findings.doubled), (0, 0), "{findings:#?}");
        server.kill();
        server.sets("KEFU__STREAM__MAX_BYTES", "0");
        server.starts().await?;
        visitor.settles().await?;
        visitor.acked(&refused).await?;
        let last = visitor.acked(&keys[149]).await?;
        visitor.reaches(&conversation, last.seq).await?;
        let findings = checker::check(&[visitor.log()], &checker::read_stream(&server.data_dir())?);
        assert!(findings.clean(), "{carrier:?}: {findings:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn on_a_full_disk_everything_else_goes_on() -> anyhow::Result<()> {
    let setup = Setup::default().unlimited().with("KEFU__STREAM__MAX_BYTES", "100000");
    let server = Server::start(setup).await?;
    let token = server.visitor_token().await?;
    let mut raw = Raw::hello(server.address, &token).await?;
    raw.send(&json!({ "type": "open", "key": "o" })).await?;
    let conversation = raw.hears("ack").await?["conversation"].clone();
    for n in 0..60 {
        let send = json!({ "type": "send", "conversation": conversation, "key": format!("k{n}"),
                           "text": "x".repeat(4000) });
        raw.send(&send).await?;
    }
    let error = raw.hears("error").await?;
    assert_eq!(error["code"], "unavailable");
    // Reading goes on, and so does everything that needs no room.
    raw.send(&json!({ "type": "ping" })).await?;
    raw.hears("pong").await?;
    let mine = server.asks(Ask::get("/v1/me/conversations").bearer(&token)).await?.ok()?;
    assert_eq!(mine.json["conversations"][0]["id"], conversation, "{}", mine.text);
    let id = conversation.as_str().unwrap_or_default();
    let path = format!("/v1/conversations/{id}/events?after=0");
    let admin = server.agent_token("admin").await?;
    let events = server.asks(Ask::get(&path).bearer(&admin)).await?.ok()?;
    assert!(events.text.contains(&"x".repeat(4000)), "{}", events.text);
    let resume = json!([{ "conversation": conversation, "seq": 0 }]);
    let mut back = Raw::open(server.address, None).await?;
    back.send(&json!({ "type": "hello", "protocol": 1, "token": token, "resume": resume })).await?;
    while back.hears("event").await?["event"]["type"] != "message" {}
    Ok(())
}
