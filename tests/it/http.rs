//! Requests that are too long, too slow, endless, for nobody or several at once: bounded, answered in JSON, or ended.

use std::time::Duration;

use kefu_tests::bytes::Bytes;
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};
use serde_json::Value;
use tokio::time::Instant;

fn hasty() -> Setup {
    Setup::default().with("KEFU__TRANSPORT__REQUEST_TIMEOUT", "700ms")
}

#[tokio::test]
async fn a_request_that_never_ends_is_ended() -> anyhow::Result<()> {
    let server = Server::start(hasty()).await?;
    let post = "POST /v1/commands HTTP/1.1\r\nhost: kefu\r\n";
    let slow = [
        ("nothing", String::new()),
        ("half a head", "GET /v1/sites/demo/widget HTTP/1.1\r\nho".to_owned()),
        ("half a body", format!("{post}content-length: 1000\r\n\r\n{{")),
        ("chunks without end", format!("{post}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n")),
        (
            "half a sign-in",
            "POST /v1/login HTTP/1.1\r\nhost: kefu\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{"
                .to_owned(),
        ),
    ];
    for (what, head) in slow {
        let mut bytes = Bytes::open(server.address).await?;
        bytes.sends(head.as_bytes()).await?;
        let begun = Instant::now();
        bytes.is_closed().await.map_err(|error| error.context(what))?;
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: {:?}", begun.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_trickles_is_ended_too() -> anyhow::Result<()> {
    let server = Server::start(hasty()).await?;
    let mut bytes = Bytes::open(server.address).await?;
    bytes
        .sends(b"POST /v1/commands HTTP/1.1\r\nhost: kefu\r\ncontent-length: 9999\r\n\r\n")
        .await?;
    let begun = Instant::now();
    while bytes.sends(b" ").await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "a byte now and then keeps it open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_too_long_is_refused_while_it_comes() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut bytes = Bytes::open(server.address).await?;
    let head = format!("GET / HTTP/1.1\r\nhost: kefu\r\nx: {}\r\n\r\n", "x".repeat(200_000));
    drop(bytes.sends(head.as_bytes()).await);
    assert_eq!(bytes.answers().await?.0, 431);
    bytes.is_closed().await?;

    let mut bytes = Bytes::open(server.address).await?;
    let head = "POST /v1/commands HTTP/1.1\r\nhost: kefu\r\ntransfer-encoding: chunked\r\n\r\n";
    bytes.sends(head.as_bytes()).await?;
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
    for _ in 0..33 {
        bytes.sends(chunk.as_bytes()).await?;
    }
    let (status, body) = bytes.answers().await?;
    assert_eq!(status, 413, "{body}");
    assert!(body.contains("too_large"), "{body}");

    let answer = server.asks(Ask::post("/v1/login", Value::String("x".repeat(3 << 20)))).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 413));
    Ok(())
}

#[tokio::test]
async fn requests_in_one_segment_are_answered_in_order() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut bytes = Bytes::open(server.address).await?;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: kefu\r\n\r\n");
    let all = [get("/health/live"), get("/v1/none"), get("/v1/me"), get("/health/live")].concat();
    bytes.sends(all.as_bytes()).await?;
    for expected in [200, 404, 401, 200] {
        assert_eq!(bytes.answers().await?.0, expected);
    }
    Ok(())
}

#[tokio::test]
async fn wrong_paths_and_methods_are_told_so_in_json() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let cases = [
        ("GET", "/v1/none", 404),
        ("DELETE", "/v1/sites", 405),
        ("DELETE", "/v1/login", 405),
        ("GET", "/v1/commands", 405),
        ("PUT", "/v1/events", 405),
        ("POST", "/v1/ws", 405),
        ("GET", "/v1/ws", 400),
        ("POST", "/health/ready", 405),
        ("GET", "/v1/conversations/../../etc/passwd", 404),
        ("GET", "/v1/conversations/%00", 401),
    ];
    for (method, path, expected) in cases {
        let ask = Ask { method, path, ..Ask::default() };
        let answer = server.asks(ask).await?;
        assert_eq!(answer.status, expected, "{method} {path}: {}", answer.text);
        assert!(answer.json["error"]["message"].is_string(), "{method} {path}: {}", answer.text);
    }
    Ok(())
}
