//! Who may do what: tokens, origins, other people's conversations, rates.

use kefu_tests::client::Carrier;
use kefu_tests::http::Ask;
use kefu_tests::raw::Raw;
use kefu_tests::server::{ORIGIN, SITE, Server, Setup};
use serde_json::json;

#[tokio::test]
async fn a_wrong_token_is_refused_on_both_carriers() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut good = server.visitor_token().await?;
    let last = if good.pop() == Some('A') { 'B' } else { 'A' };
    let first = good.remove(0);
    let forged = format!("{}{good}{last}", if first == 'A' { 'B' } else { 'A' });
    for token in ["", "nonsense", "a.b", forged.as_str()] {
        let hello = json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] });
        let mut raw = Raw::open(server.address, None).await?;
        raw.send(&hello).await?;
        assert_eq!(raw.hears("bye").await?["code"], "unauthorized");
        let post = Ask::post("/v1/commands", json!({ "frames": [hello] })).bearer(token);
        assert_eq!(server.asks(post).await?.status, 401, "{token}");
    }
    Ok(())
}

#[tokio::test]
async fn an_expired_token_is_refused() -> anyhow::Result<()> {
    let setup = Setup::default().with("KEFU__AUTH__VISITOR_TOKEN", "1s");
    let server = Server::start(setup).await?;
    let token = server.visitor_token().await?;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let path = "/v1/me/conversations";
        if server.asks(Ask::get(path).bearer(&token)).await?.status == 401 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the token never expires");
    }
    let mut raw = Raw::open(server.address, None).await?;
    raw.send(&json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] })).await?;
    assert_eq!(raw.hears("bye").await?["code"], "unauthorized");
    raw.is_closed().await?;
    Ok(())
}

#[tokio::test]
async fn a_foreign_origin_is_refused() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let evil = "https://evil.example";
    let body = json!({ "site": SITE });
    let ask = Ask::post("/v1/visitors", body.clone()).header("origin", evil);
    assert_eq!(server.asks(ask).await?.status, 403);
    // Whose page may connect depends on the site, which only the token of hello names.
    let token = server.visitor_token().await?;
    let hello = json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] });
    let mut raw = Raw::open(server.address, Some(evil)).await?;
    raw.send(&hello).await?;
    assert_eq!(raw.next().await?["code"], "forbidden");
    let bye = raw.next().await?;
    assert_eq!((&bye["type"], &bye["code"]), (&json!("bye"), &json!("unauthorized")));
    raw.is_closed().await?;
    let post = Ask::post("/v1/commands", json!({ "frames": [hello] })).bearer(&token);
    assert_eq!(server.asks(post.header("origin", evil)).await?.status, 403);
    let mut raw = Raw::open(server.address, Some(ORIGIN)).await?;
    raw.send(&hello).await?;
    raw.hears("welcome").await?;
    Ok(())
}

#[tokio::test]
async fn another_visitors_conversation_does_not_exist() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mine = server.visitor(Carrier::WebSocket).await?;
    let conversation = mine.opens().await?;
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        let other = server.visitor(carrier).await?;
        let key = other.drafts_in(&conversation, "let me in");
        assert_eq!(other.refused(&key).await?, "not_found");
        let close = other.drafts(json!({ "type": "close", "conversation": conversation }));
        assert_eq!(other.refused(&close).await?, "not_found");
        other.follows(&conversation, 0);
        other.reconnects().await?;
        other.signals(json!({ "type": "follow", "conversation": conversation, "seq": 0 }));
        let own = other.opens().await?;
        mine.says_in(&conversation, "not for you").await?;
        let closed = other.closes(&own).await?;
        other.reaches(&own, closed.seq).await?;
        assert!(!other.log().views.contains_key(&conversation));
    }
    let token = server.visitor_token().await?;
    let path = format!("/v1/conversations/{conversation}/events");
    let status = server.asks(Ask::get(&path).bearer(&token)).await?.status;
    assert!([401, 403, 404].contains(&status), "{status}");
    Ok(())
}

#[tokio::test]
async fn too_many_messages_are_told_when_to_try_again() -> anyhow::Result<()> {
    let setup = Setup::default()
        .with("KEFU__LIMITS__MESSAGES_PER_SECOND", "2")
        .with("KEFU__LIMITS__MESSAGES_BURST", "2");
    let server = Server::start(setup).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    for n in 0..6 {
        let _ = visitor.drafts_in(&conversation, &format!("fast {n}"));
    }
    let told = visitor.is_told("error", |frame| frame["code"] == "rate_limited").await?;
    assert!(told["retry_after_ms"].as_u64() > Some(0), "{told}");
    visitor.settles().await?;
    assert_eq!(visitor.log().acks.len(), 7);
    Ok(())
}

#[tokio::test]
async fn too_many_visitors_from_one_address_get_429_whatever_they_claim() -> anyhow::Result<()> {
    let setup = Setup::default()
        .with("KEFU__LIMITS__VISITORS_PER_SECOND", "0.01")
        .with("KEFU__LIMITS__VISITORS_BURST", "3");
    let server = Server::start(setup).await?;
    let mut statuses = Vec::new();
    for n in 0..6 {
        let ask = Ask::post("/v1/visitors", json!({ "site": SITE }))
            .header("origin", ORIGIN)
            .header("x-forwarded-for", format!("10.0.0.{n}"));
        let answer = server.asks(ask).await?;
        if answer.status == 429 {
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            assert_eq!(answer.code(), "rate_limited");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 3, "{statuses:?}");
    Ok(())
}

#[tokio::test]
async fn signing_out_withdraws_the_token_and_ends_the_sessions() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let token = server.agent_token("agent1").await?;
    assert_eq!(server.asks(Ask::get("/v1/me").bearer(&token)).await?.status, 200);
    let out = server.asks(Ask::post("/v1/logout", json!({})).bearer(&token)).await?;
    assert_eq!(out.status, 204);
    assert_eq!(server.asks(Ask::get("/v1/me").bearer(&token)).await?.status, 401);
    agent.is_told("bye", |frame| frame["code"] == "unauthorized").await?;
    Ok(())
}

#[tokio::test]
async fn many_logins_from_one_address_are_slowed_down() -> anyhow::Result<()> {
    let setup = Setup::default()
        .with("KEFU__AUTH__LOGIN_PER_MINUTE", "1")
        .with("KEFU__AUTH__LOGIN_BURST", "1");
    let server = Server::start(setup).await?;
    let mut statuses = Vec::new();
    for n in 0..12 {
        let body = json!({ "login": format!("guess{n}"), "password": "a guess of mine" });
        statuses.push(server.asks(Ask::post("/v1/login", body)).await?.status);
    }
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 2]);
    Ok(())
}
