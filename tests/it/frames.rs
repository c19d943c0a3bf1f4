//! Frames no client should send: each is answered or ends the connection it came on, and nothing else is harmed.

use kefu_tests::checker;
use kefu_tests::raw::Raw;
use kefu_tests::server::{Server, Setup};
use serde_json::json;

#[tokio::test]
async fn malformed_frames_are_answered_and_the_connection_lives() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut raw = Raw::hello(server.address, &server.visitor_token().await?).await?;
    let bad = [
        "{",
        "[]",
        "null",
        "\"text\"",
        "{}",
        r#"{"type":1,"data":1}"#,
        r#"{"type":"no_such"}"#,
        r#"{"type":"send"}"#,
        r#"{"type":"send","conversation":"x","key":"k","text":"t"}"#,
        r#"{"type":"send","conversation":1,"key":"k","text":"t"}"#,
        r#"{"type":"open","key":""}"#,
        r#"{"type":"seen","conversation":"1","read":-1}"#,
    ];
    for text in bad {
        raw.send_text(text).await?;
        let error = raw.hears("error").await.map_err(|e| e.context(text.to_owned()))?;
        assert!(error["code"].is_string(), "{text}: {error}");
    }
    raw.send(&json!({ "type": "ping" })).await?;
    raw.hears("pong").await?;
    Ok(())
}

#[tokio::test]
async fn binary_frames_are_refused_and_the_connection_lives() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let token = server.visitor_token().await?;
    let mut raw = Raw::hello(server.address, &token).await?;
    raw.send_binary(b"\x00\x01").await?;
    let error = raw.next().await?;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("bad_frame")));
    raw.send(&json!({ "type": "ping" })).await?;
    assert_eq!(raw.next().await?["type"], "pong", "the connection lives");
    Ok(())
}

#[tokio::test]
async fn an_oversized_frame_ends_only_its_connection() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let token = server.visitor_token().await?;
    let mut other = Raw::hello(server.address, &token).await?;
    let mut raw = Raw::hello(server.address, &token).await?;
    drop(raw.send_text(&"x".repeat(1 << 20)).await);
    raw.is_closed().await?;
    other.send(&json!({ "type": "ping" })).await?;
    other.hears("pong").await?;
    Ok(())
}

#[tokio::test]
async fn a_text_over_the_limit_is_refused_and_not_kept() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut raw = Raw::hello(server.address, &server.visitor_token().await?).await?;
    raw.send(&json!({ "type": "open", "key": "o", "fields": {} })).await?;
    let conversation = raw.hears("ack").await?["conversation"].clone();
    let text = "x".repeat(8193);
    let send = json!({ "type": "send", "conversation": conversation, "key": "big", "text": text });
    raw.send(&send).await?;
    let error = raw.hears("error").await?;
    assert_eq!((&error["code"], &error["key"]), (&json!("too_large"), &json!("big")));
    // What is sent after it is acked, so whatever was to come of it is in the stream by now.
    let send = json!({ "type": "send", "conversation": conversation, "key": "ok", "text": "ok" });
    raw.send(&send).await?;
    raw.hears("ack").await?;
    let stream = checker::read_stream(&server.data_dir())?;
    let events = &stream[conversation.as_str().unwrap_or_default()];
    let texts = events.iter().filter(|event| event.body["type"] == "message");
    let texts: Vec<_> = texts.map(|event| &event.body["text"]).collect();
    assert_eq!(texts, [&json!("ok")]);
    assert!(events.iter().all(|event| event.key != "big"), "{events:#?}");
    Ok(())
}

#[tokio::test]
async fn frames_before_hello_end_the_connection() -> anyhow::Result<()> {
    // Not for want of time.
    let server =
        Server::start(Setup::default().with("KEFU__TRANSPORT__HELLO_TIMEOUT", "60s")).await?;
    let mut raw = Raw::open(server.address, None).await?;
    let send = json!({ "type": "send", "conversation": "1", "key": "k", "text": "t" });
    raw.send(&send).await?;
    raw.is_closed().await?;
    Ok(())
}

#[tokio::test]
async fn a_second_hello_is_refused_and_the_session_goes_on() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let token = server.visitor_token().await?;
    let mut raw = Raw::hello(server.address, &token).await?;
    raw.send(&json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] })).await?;
    let error = raw.next().await?;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("bad_frame")));
    raw.send(&json!({ "type": "open", "key": "o", "fields": {} })).await?;
    assert!(raw.hears("ack").await?["conversation"].is_string(), "the session lives");
    Ok(())
}
