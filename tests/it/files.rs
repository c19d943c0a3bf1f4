//! Files in a conversation: what arrives is what was sent, by whom it may be sent, and what is never taken or served.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use kefu_tests::client::{Carrier, Client};
use kefu_tests::http::{Answer, Ask};
use kefu_tests::server::{ORIGIN, SITE, Server, Setup};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// 4 × 3 pixels.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x04\0\0\0\x03\x08\x06\0\0\0\x1f\x15\xc4\x89";

/// A visitor with a token of its own, so that it may upload too.
struct Visitor {
    token: String,
    client: Client,
    conversation: String,
}

async fn visitor(server: &Server) -> anyhow::Result<Visitor> {
    let token = server.visitor_token().await?;
    let options = kefu_tests::client::Options::new(server.address, &token, Carrier::WebSocket);
    let client = Client::connect(options).await?;
    let conversation = client.opens().await?;
    Ok(Visitor { token, client, conversation })
}

fn upload<'a>(path: &'a str, token: &'a str, kind: &str, bytes: &'static [u8]) -> Ask<'a> {
    let ask = Ask { method: "POST", path, body: Bytes::from_static(bytes), ..Ask::default() };
    let ask = if token.is_empty() { ask } else { ask.bearer(token) };
    if kind.is_empty() { ask } else { ask.header("content-type", kind) }
}

async fn uploads(
    server: &Server,
    conversation: &str,
    token: &str,
    (name, kind, bytes): (&str, &str, &'static [u8]),
) -> anyhow::Result<Answer> {
    let path = format!("/v1/conversations/{conversation}/files?name={name}");
    server.asks(upload(&path, token, kind, bytes)).await
}

impl Visitor {
    async fn uploads(
        &self,
        server: &Server,
        file: (&str, &str, &'static [u8]),
    ) -> anyhow::Result<Answer> {
        uploads(server, &self.conversation, &self.token, file).await
    }

    async fn png(&self, server: &Server) -> anyhow::Result<Value> {
        let answer = self.uploads(server, ("a.png", "image/png", PNG)).await?.ok()?;
        Ok(answer.json["file"].clone())
    }

    fn sends(&self, file: &Value) -> String {
        self.client.drafts(sent(&self.conversation, file))
    }
}

fn sent(conversation: &str, file: &Value) -> Value {
    json!({ "type": "send", "conversation": conversation, "text": "", "file": file["id"] })
}

async fn hears_file(client: &Client, conversation: &str) -> anyhow::Result<Value> {
    Ok(client.sees(conversation, "message").await?["file"].clone())
}

#[tokio::test]
async fn a_picture_and_a_document_reach_the_other_side() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let agent = server.agent("agent1", Carrier::LongPoll).await?;
    let visitor = visitor(&server).await?;
    visitor.client.sees(&visitor.conversation, "assigned").await?;
    let name = "%E7%85%A7%E7%89%87.png";
    let uploaded = visitor.uploads(&server, (name, "image/png", PNG)).await?;
    assert_eq!(uploaded.status, 201, "{}", uploaded.text);
    let file = &uploaded.json["file"];
    assert_eq!((&file["name"], &file["type"]), (&json!("照片.png"), &json!("image/png")));
    assert_eq!((&file["width"], &file["height"]), (&json!(4), &json!(3)));
    assert_eq!(file["size"], PNG.len());
    visitor.client.acked(&visitor.sends(file)).await?;
    assert_eq!(&hears_file(&agent, &visitor.conversation).await?, file);
    assert_eq!(&hears_file(&visitor.client, &visitor.conversation).await?, file);

    let token = server.agent_token("agent1").await?;
    let answer =
        uploads(&server, &visitor.conversation, &token, ("a.txt", "text/plain", b"hello")).await?;
    let text = answer.ok()?.json["file"].clone();
    assert!(text.get("width").is_none(), "{text}");
    let mut frame = sent(&visitor.conversation, &text);
    frame["text"] = "the details".into();
    agent.acked(&agent.drafts(frame)).await?;
    assert_eq!(visitor.client.hears("the details").await?["file"], text);
    let path = format!("/v1/conversations/{}/events", visitor.conversation);
    let history = server.asks(Ask::get(&path).bearer(&token)).await?.ok()?;
    let events = history.json["events"].as_array().unwrap();
    let files: Vec<_> = events.iter().filter(|event| event.get("file").is_some()).collect();
    assert_eq!(files.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_download_is_what_was_sent_and_cannot_act() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let visitor = visitor(&server).await?;
    let html = b"<script>alert(1)</script>";
    let page = visitor.uploads(&server, ("page.html", "text/plain", html)).await?.ok()?;
    let page = page.json["file"].clone();
    assert_eq!(page["name"], "page.html.txt");
    for (file, bytes, kind, how) in [
        (visitor.png(&server).await?, PNG, "image/png", "inline; filename*=UTF-8''a.png"),
        (page, html, "text/plain", "attachment; filename*=UTF-8''page.html.txt"),
    ] {
        let url = file["url"].as_str().unwrap();
        let answer = server.asks(Ask::get(url)).await?.ok()?;
        assert_eq!(answer.bytes, bytes);
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), kind);
        assert_eq!(header("content-disposition"), how);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
        assert_eq!(header("cross-origin-resource-policy"), "cross-origin");
        assert!(header("cache-control").starts_with("private, immutable"));
        let head = server.asks(Ask { method: "HEAD", path: url, ..Ask::default() }).await?;
        assert_eq!((head.status, head.bytes.len()), (200, 0));
        assert_eq!(head.headers["content-length"], bytes.len().to_string().as_str());
        let again = server.asks(Ask::get(url).header("if-none-match", header("etag"))).await?;
        assert_eq!((again.status, again.bytes.len()), (304, 0));
        let guess = format!("{}x", &url[..url.len() - 1]);
        assert_eq!(server.asks(Ask::get(&guess)).await?.status, 404);
        assert!(url.len() - "/v1/files/".len() >= 32, "{url} can be guessed");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_taken_is_refused_with_the_reason() -> anyhow::Result<()> {
    let types = r#"["image/png", "text/plain"]"#;
    let server = Server::start(Setup::default().with("KEFU__LIMITS__FILE_TYPES", types)).await?;
    let visitor = visitor(&server).await?;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
    for (kind, bytes) in [
        ("image/jpeg", PNG),
        ("image/png", b"<html>".as_slice()),
        ("image/svg+xml", svg),
        ("text/html", b"<html>"),
        ("application/pdf", b"%PDF-1.7"),
        ("", b"MZ\x90\0\x03\0"),
        ("text/plain", b""),
        ("image/png", b"\x89PNG\r\n\x1a\nbroken"),
    ] {
        let answer = visitor.uploads(&server, ("x", kind, bytes)).await?;
        assert_eq!((answer.status, answer.code()), (415, "unsupported"), "{kind} {}", answer.text);
    }
    let answer = visitor.uploads(&server, ("x.pdf", "", b"%PDF-1.7")).await?;
    assert!(answer.text.contains("taken are image/png, text/plain"), "{}", answer.text);
    let left = std::fs::read_dir(server.data_dir().join("files"))?.count();
    assert_eq!(left, 0, "nothing of a refused file is left");
    let config = server.asks(Ask::get(&format!("/v1/sites/{SITE}/widget"))).await?.ok()?;
    assert_eq!(config.json["limits"]["file_types"], json!(["image/png", "text/plain"]));
    let welcome = visitor.client.look(|state| state.welcome.clone());
    assert_eq!(welcome["limits"]["file_types"], json!(["image/png", "text/plain"]));
    assert_eq!(welcome["limits"]["file_bytes"], 10_485_760);
    Ok(())
}

/// Sends an upload without saying how long it will be, and returns the whole answer.
async fn in_pieces(
    address: SocketAddr,
    head: &str,
    piece: &[u8],
    n: usize,
) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(head.as_bytes()).await?;
    for _ in 0..n {
        socket.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        socket.write_all(piece).await?;
        socket.write_all(b"\r\n").await?;
    }
    socket.write_all(b"0\r\n\r\n").await?;
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await??;
    Ok(answer)
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_also_half_way() -> anyhow::Result<()> {
    let server = Server::start(Setup::default().with("KEFU__LIMITS__FILE_BYTES", "2000")).await?;
    let visitor = visitor(&server).await?;
    let answer = visitor.uploads(&server, ("a.txt", "text/plain", &[b'a'; 2001])).await?;
    assert_eq!((answer.status, answer.code()), (413, "too_large"));
    assert!(answer.text.contains("2000"), "the limit is named: {}", answer.text);
    assert_eq!(visitor.uploads(&server, ("a.txt", "", &[b'a'; 2000])).await?.status, 201);
    let head = format!(
        "POST /v1/conversations/{}/files?name=b.txt HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        visitor.conversation, visitor.token
    );
    let answer = in_pieces(server.address, &head, &[b'a'; 900], 2).await?;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let answer = in_pieces(server.address, &head, &[b'a'; 900], 1000).await?;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("2000"), "{answer}");
    assert_eq!(std::fs::read_dir(server.data_dir().join("files"))?.count(), 2);
    Ok(())
}

#[tokio::test]
async fn only_those_who_take_part_upload_while_it_is_open() -> anyhow::Result<()> {
    let server = Server::start(Setup { agents: 2, ..Setup::default() }).await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let (visitor, other) = (visitor(&server).await?, visitor(&server).await?);
    visitor.client.sees(&visitor.conversation, "assigned").await?;
    let id = visitor.conversation.as_str();
    let png = ("a.png", "image/png", PNG);
    let status = async |id: &str, token: &str| {
        let answer = uploads(&server, id, token, png).await?;
        anyhow::Ok((answer.status, answer.code().to_owned()))
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(status(id, "").await?, refused(401, "unauthorized"));
    assert_eq!(status(id, "a.b").await?, refused(401, "unauthorized"));
    assert_eq!(status(id, &other.token).await?, refused(404, "not_found"));
    let idle = server.agent_token("agent2").await?;
    assert_eq!(status(id, &idle).await?, refused(403, "forbidden"));
    assert_eq!(status("1", &visitor.token).await?, refused(404, "not_found"));
    for who in ["agent1", "admin"] {
        let token = server.agent_token(who).await?;
        assert_eq!(status(id, &token).await?.0, 201, "{who}");
    }
    let file = visitor.png(&server).await?;
    agent.closes(id).await?;
    assert_eq!(status(id, &visitor.token).await?, refused(409, "conflict"));
    assert_eq!(visitor.client.refused(&visitor.sends(&file)).await?, "conflict");
    Ok(())
}

#[tokio::test]
async fn a_file_is_sent_once_by_its_own_sender_where_it_was_uploaded() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let (visitor, other) = (visitor(&server).await?, visitor(&server).await?);
    visitor.client.sees(&visitor.conversation, "assigned").await?;
    let file = visitor.png(&server).await?;
    assert_eq!(other.client.refused(&other.sends(&file)).await?, "not_found");
    let stolen = agent.drafts(sent(&visitor.conversation, &file));
    assert_eq!(agent.refused(&stolen).await?, "not_found");
    let none = visitor.sends(&json!({ "id": "77" }));
    assert_eq!(visitor.client.refused(&none).await?, "not_found");
    let mut note = sent(&visitor.conversation, &file);
    note["note"] = true.into();
    assert_eq!(agent.refused(&agent.drafts(note)).await?, "invalid");
    let empty = json!({ "type": "send", "conversation": visitor.conversation, "text": "" });
    assert_eq!(visitor.client.refused(&visitor.client.drafts(empty)).await?, "invalid");

    let key = visitor.sends(&file);
    visitor.client.acked(&key).await?;
    assert_eq!(visitor.client.refused(&visitor.sends(&file)).await?, "conflict");
    Ok(())
}

#[tokio::test]
async fn the_filter_sees_a_files_name() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let visitor = visitor(&server).await?;
    let named = ("call%2013812345678.txt", "text/plain", b"hi".as_slice());
    let file = visitor.uploads(&server, named).await?.ok()?.json["file"].clone();
    visitor.client.acked(&visitor.sends(&file)).await?;
    let shown = hears_file(&visitor.client, &visitor.conversation).await?;
    let name = shown["name"].as_str().unwrap();
    assert!(!name.contains("13812345678") && name.ends_with(".txt"), "{name}");
    let answer = server.asks(Ask::get(file["url"].as_str().unwrap())).await?.ok()?;
    let disposition = answer.headers["content-disposition"].to_str()?;
    assert!(!disposition.contains("13812345678"), "{disposition}");
    Ok(())
}

#[tokio::test]
async fn too_many_uploads_are_told_when_to_try_again() -> anyhow::Result<()> {
    let server =
        Server::start(Setup::default().with("KEFU__LIMITS__FILES_PER_MINUTE", "2")).await?;
    let visitor = visitor(&server).await?;
    visitor.png(&server).await?;
    visitor.png(&server).await?;
    let answer = visitor.uploads(&server, ("a.png", "image/png", PNG)).await?;
    assert_eq!((answer.status, answer.code()), (429, "rate_limited"));
    let seconds: u64 = answer.headers["retry-after"].to_str()?.parse()?;
    assert!((1..=30).contains(&seconds), "{seconds}");
    Ok(())
}

#[tokio::test]
async fn a_conversation_takes_so_many_files() -> anyhow::Result<()> {
    let setup = Setup::default().with("KEFU__LIMITS__CONVERSATION_FILES", "1");
    let server = Server::start(setup).await?;
    let visitor = visitor(&server).await?;
    visitor.png(&server).await?;
    let answer = visitor.uploads(&server, ("a.png", "image/png", PNG)).await?;
    assert_eq!((answer.status, answer.code()), (409, "conflict"));
    Ok(())
}

#[tokio::test]
async fn a_widget_on_its_sites_page_may_upload() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let visitor = visitor(&server).await?;
    let path = format!("/v1/conversations/{}/files", visitor.conversation);
    for (origin, may) in [(ORIGIN, true), ("https://evil.example", false)] {
        let ask = Ask { method: "OPTIONS", path: &path, ..Ask::default() };
        let preflight = server.asks(ask.header("origin", origin)).await?;
        let allowed = preflight.headers.get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), may, "{origin}: {preflight:?}");
        let ask = upload(&path, &visitor.token, "image/png", PNG).header("origin", origin);
        let answer = server.asks(ask).await?;
        let allowed = answer.headers.get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), may, "{origin}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_crash_between_upload_and_message_loses_neither() -> anyhow::Result<()> {
    let mut server = Server::start(Setup::default()).await?;
    let visitor = visitor(&server).await?;
    let file = visitor.png(&server).await?;
    server.kill();
    let key = visitor.sends(&file);
    server.starts().await?;
    visitor.client.acked(&key).await?;
    let url = file["url"].as_str().unwrap();
    assert_eq!(server.asks(Ask::get(url)).await?.ok()?.bytes, PNG);
    server.kill();
    server.starts().await?;
    assert_eq!(server.asks(Ask::get(url)).await?.ok()?.bytes, PNG);
    assert_eq!(hears_file(&visitor.client, &visitor.conversation).await?, file);
    Ok(())
}

#[tokio::test]
async fn what_is_never_sent_is_removed_after_a_day() -> anyhow::Result<()> {
    let mut server = Server::start(Setup::default()).await?;
    let visitor = visitor(&server).await?;
    let (sent, old) = (visitor.png(&server).await?, visitor.png(&server).await?);
    visitor.client.acked(&visitor.sends(&sent)).await?;
    server.kill();
    let rows = rusqlite::Connection::open(server.data_dir().join("kefu.db"))?;
    rows.execute("UPDATE files SET created_at = created_at - 90000000", [])?;
    drop(rows);
    server.starts().await?;
    let fresh = visitor.png(&server).await?;
    let path = |file: &Value| server.data_dir().join("files").join(file["id"].as_str().unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while path(&old).exists() {
        assert!(tokio::time::Instant::now() < deadline, "never removed");
        tokio::task::yield_now().await;
    }
    assert!(path(&sent).exists() && path(&fresh).exists());
    assert_eq!(server.asks(Ask::get(old["url"].as_str().unwrap())).await?.status, 404);
    Ok(())
}
