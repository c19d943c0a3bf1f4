//! WebSocket bytes that no client library sends: each ends its own connection or is answered, and nobody else notices.

use kefu_tests::bytes::{Bytes, frame, text};
use kefu_tests::server::{Server, Setup};
use serde_json::json;

/// Someone else's connection still answers.
async fn lives(other: &mut Bytes) -> anyhow::Result<()> {
    other.sends(&text(&json!({ "type": "ping" }))).await?;
    other.hears("pong").await.map(|_| ())
}

#[tokio::test]
async fn bytes_that_are_no_frames_end_their_connection_only() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let token = server.visitor_token().await?;
    let mut other = Bytes::hello(server.address, &token).await?;
    let (ping, blank) = (br#"{"type":"ping"}"#, [b' '; 4000]);
    let mut endless = vec![0x81, 0xff];
    endless.extend_from_slice(&(1_u64 << 62).to_be_bytes());
    endless.extend_from_slice(&[0; 4]);
    let wrong = [
        ("unmasked", frame(0x81, false, ping)),
        ("compressed bit", frame(0xc1, true, ping)),
        ("reserved opcode", frame(0x83, true, ping)),
        ("wrong UTF-8", frame(0x81, true, b"{\"type\":\"\xff\xfe\"}")),
        ("control frame above 125", frame(0x89, true, &[0; 126])),
        ("control frame in pieces", frame(0x09, true, b"p")),
        ("a continuation of nothing", frame(0x80, true, ping)),
        (
            "a new text in the middle of one",
            [frame(0x01, true, b"{"), frame(0x81, true, ping)].concat(),
        ),
        ("a frame without end", endless),
        (
            "pieces without end",
            [frame(0x01, true, &blank), frame(0x00, true, &blank).repeat(20)].concat(),
        ),
        ("no WebSocket at all", b"GET / HTTP/1.1\r\nhost: kefu\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in wrong {
        let mut connection = Bytes::hello(server.address, &token).await?;
        drop(connection.sends(&bytes).await);
        let bye = connection.hears("bye").await.map_err(|error| error.context(what))?;
        assert_eq!(bye["code"], "protocol", "{what}");
        connection.is_closed().await.map_err(|error| error.context(what))?;
        lives(&mut other).await.map_err(|error| error.context(what))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_frame_in_pieces_with_a_ping_between_is_one_frame() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut bytes = Bytes::hello(server.address, &server.visitor_token().await?).await?;
    let pieces = [
        frame(0x01, true, br#"{"type":"#),
        frame(0x89, true, b"alive?"),
        frame(0x00, true, br#""pi"#),
        frame(0x80, true, br#"ng"}"#),
    ];
    for piece in pieces.concat() {
        bytes.sends(&[piece]).await?;
    }
    assert_eq!(bytes.hears_control(0x0a).await?, b"alive?");
    bytes.hears("pong").await?;
    Ok(())
}

#[tokio::test]
async fn json_made_to_hurt_is_answered_and_the_connection_lives() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut bytes = Bytes::hello(server.address, &server.visitor_token().await?).await?;
    let deep = format!(r#"{{"type":"send","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let deeper = format!(r#"{{"type":"send","x":{}"#, "[".repeat(60_000));
    let marks = vec![r#"{"conversation":"1","seq":0}"#; 2000].join(",");
    let resume = format!(r#"{{"type":"hello","protocol":1,"resume":[{marks}]}}"#);
    let hurting = [
        deep.as_str(),
        deeper.as_str(),
        resume.as_str(),
        r#"{"type":"seen","conversation":"1","read":1e400}"#,
        r#"{"type":"seen","conversation":"1","read":99999999999999999999999999}"#,
        r#"{"type":"follow","conversation":"99999999999999999999999999","seq":1}"#,
        r#"{"type":"rate","conversation":"1","key":"k","score":300}"#,
        r#"{"type":"ping","type":"send"}"#,
        r#"{"type":"send","conversation":"1","conversation":"2","key":"k","text":"t"}"#,
        "{\"type\":\"send\",\"conversation\":\"1\",\"key\":\"k\u{0}\",\"text\":\"t\"}",
        r#"{"type":"send","conversation":"1","key":"k","text":"\ud800"}"#,
    ];
    for json in hurting {
        bytes.sends(&frame(0x81, true, json.as_bytes())).await?;
        let shown: String = json.chars().take(80).collect();
        let error = bytes.hears("error").await.map_err(|error| error.context(shown.clone()))?;
        assert!(
            error["message"].as_str().is_some_and(|words| words.len() < 300),
            "{shown}: {error}"
        );
    }
    lives(&mut bytes).await
}
