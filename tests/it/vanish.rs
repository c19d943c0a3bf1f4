//! Peers that vanish without closing, and sessions that end under their owners: gone within the configured time.

use std::time::Duration;

use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::http::Ask;
use kefu_tests::proxy::Proxy;
use kefu_tests::server::{PASSWORD, Server, Setup};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Everything that takes time, short; in the same order as the defaults.
fn impatient() -> Setup {
    Setup::default()
        .with("KEFU__TRANSPORT__HEARTBEAT", "500ms")
        .with("KEFU__TRANSPORT__POLL_WAIT", "1s")
        .with("KEFU__TRANSPORT__IDLE_TIMEOUT", "2s")
        .with("KEFU__SESSIONS__GRACE", "500ms")
}

/// Waits until a visitor sees its conversation queued for the `n`th time.
async fn is_queued_again(visitor: &Client, conversation: &str) -> anyhow::Result<()> {
    visitor
        .until("the conversation back in the queue", |state| {
            let view = state.log.views.get(conversation)?;
            (view.iter().filter(|event| event["type"] == "queued").count() == 2).then_some(())
        })
        .await
}

async fn half_open(carrier: Carrier) -> anyhow::Result<()> {
    let server = Server::start(impatient()).await?;
    let proxy = Proxy::to(server.address).await?;
    let token = server.agent_token("agent1").await?;
    let agent = Client::connect(Options::new(proxy.address, &token, carrier)).await?;
    agent.is("online").await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    visitor.sees(&conversation, "assigned").await?;
    agent.sees(&conversation, "assigned").await?;
    proxy.swallows();
    let vanished = Instant::now();
    // What is said now is never acknowledged by the agent's side.
    visitor.says("are you there?").await?;
    is_queued_again(&visitor, &conversation).await?;
    let took = vanished.elapsed();
    assert!(took < Duration::from_secs(8), "2.5 s were promised, and it took {took:?}");
    assert!(took > Duration::from_millis(500), "taken for vanished after {took:?} already");
    Ok(())
}

#[tokio::test]
async fn a_half_open_websocket_is_gone_in_time_and_its_conversations_wait_again()
-> anyhow::Result<()> {
    half_open(Carrier::WebSocket).await
}

#[tokio::test]
async fn a_half_open_long_poll_is_gone_in_time_and_its_conversations_wait_again()
-> anyhow::Result<()> {
    half_open(Carrier::LongPoll).await
}

#[tokio::test]
async fn a_quiet_listener_on_either_carrier_stays() -> anyhow::Result<()> {
    let server = Server::start(impatient()).await?;
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        let agent = server.agent("agent1", carrier).await?;
        let visitor = server.visitor(Carrier::WebSocket).await?;
        let conversation = visitor.opens().await?;
        agent.sees(&conversation, "assigned").await?;
        // Three idle timeouts in which the server writes all the time and the agent says nothing.
        let until = Instant::now() + Duration::from_secs(6);
        while Instant::now() < until {
            let said = visitor.says("still here").await?;
            agent.reaches(&conversation, said.seq).await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(
            agent.look(|state| state.welcomes),
            1,
            "{:?}",
            agent.look(|s| s.last_error.clone())
        );
        agent.closes(&conversation).await?;
    }
    Ok(())
}

/// Waits for the server to end this client for good; its words.
async fn is_ended(client: &Client) -> String {
    let ended = client.until("the end", |_| None::<()>).await;
    ended.map_or_else(|error| format!("{error:#}"), |()| String::new())
}

#[tokio::test]
async fn an_open_session_ends_with_its_token() -> anyhow::Result<()> {
    let setup =
        impatient().with("KEFU__AUTH__VISITOR_TOKEN", "4s").with("KEFU__AUTH__AGENT_TOKEN", "4s");
    let server = Server::start(setup).await?;
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        let visitor = server.visitor(carrier).await?;
        let agent = server.agent("agent1", carrier).await?;
        for client in [&visitor, &agent] {
            let why = is_ended(client).await;
            assert!(why.contains("unauthorized"), "{carrier:?}: {why}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_an_admin_does_to_an_account_ends_its_sessions_at_once() -> anyhow::Result<()> {
    let server = Server::start(Setup { agents: 6, ..Setup::default() }).await?;
    let admin = server.agent_token("admin").await?;
    let changes: [(&str, &str, Value); 3] = [
        ("PATCH", "", json!({ "role": "supervisor" })),
        ("POST", "/password", json!({ "password": "another long one" })),
        ("PATCH", "", json!({ "enabled": false })),
    ];
    let mut number = 0;
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        for (method, path, change) in &changes {
            number += 1;
            let login = format!("agent{number}");
            let token = server.agent_token(&login).await?;
            let agent = Client::connect(Options::new(server.address, &token, carrier)).await?;
            let path = format!("/v1/agents/{}{path}", agent.id());
            let mut ask = Ask::post(&path, change.clone()).bearer(&admin);
            ask.method = method;
            server.asks(ask).await?.ok()?;
            let why = is_ended(&agent).await;
            assert!(why.contains("unauthorized"), "{carrier:?} {change}: {why}");
            let again = server.asks(Ask::get("/v1/me").bearer(&token)).await?;
            assert_eq!(again.status, 401, "{change}");
        }
    }
    let body = json!({ "login": "agent3", "password": PASSWORD });
    assert_eq!(server.asks(Ask::post("/v1/login", body)).await?.status, 401, "disabled");
    Ok(())
}
