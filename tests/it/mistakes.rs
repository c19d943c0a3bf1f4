//! The mistakes of others, one test each (FACTS: "Mistakes of theirs that ours must not have").
//!
//! - resume that gives up after 300 missed messages although 1,000 are kept:
//!   `resume::after_a_thousand_missed_messages_all_come_in_order`
//! - one agent who stops reading blocks every sender:
//!   `resume::a_slow_reader_holds_nobody_up_is_cut_and_misses_nothing`
//! - a half-open socket kept for 150 s:
//!   `vanish::a_half_open_websocket_is_gone_in_time_and_its_conversations_wait_again` and its neighbour
//! - trusting `X-Forwarded-For` from anyone, a rate limit answered as 200:
//!   `trust::too_many_visitors_from_one_address_get_429_whatever_they_claim`, and the two below
//! - a load generator that misses a ping among messages and calls it loss: `bench/src/link/tests.rs`
//! - the rest is here.

use std::time::Duration;

use kefu_tests::bytes::{Bytes, frame, text};
use kefu_tests::checker;
use kefu_tests::client::Carrier;
use kefu_tests::http::{Ask, Connection};
use kefu_tests::raw::Raw;
use kefu_tests::server::{ORIGIN, SITE, Server, Setup};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[tokio::test]
async fn three_sends_of_one_key_are_stored_once() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut raw = Raw::hello(server.address, &server.visitor_token().await?).await?;
    raw.send(&json!({ "type": "open", "key": "o" })).await?;
    let conversation = raw.hears("ack").await?["conversation"].clone();
    let send = json!({ "type": "send", "conversation": conversation, "key": "k", "text": "once" });
    for _ in 0..3 {
        raw.send(&send).await?;
    }
    let first = raw.hears("ack").await?["seq"].clone();
    for _ in 0..2 {
        assert_eq!(raw.hears("ack").await?["seq"], first);
    }
    let stream = checker::read_stream(&server.data_dir())?;
    let events = &stream[conversation.as_str().unwrap_or_default()];
    assert_eq!(events.iter().filter(|event| event.body["text"] == "once").count(), 1);
    Ok(())
}

/// What is acked is kept and can be read; what is a byte too long is refused, with its size, and never acked.
#[tokio::test]
async fn nothing_is_acked_that_is_too_long_to_keep() -> anyhow::Result<()> {
    let server = Server::start(Setup::default().unlimited()).await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    // 8,192 bytes in characters of four, and one more.
    let most = "🙂".repeat(2048);
    let more = format!("{most}x");
    let opened = |text: &str, name: &str| {
        json!({ "type": "open", "text": text, "fields": { "name": name },
                "page": format!("https://shop.example/?q={}", "语".repeat(5000)) })
    };
    for (text, name) in [(&more, "Ann"), (&most, "n".repeat(513).as_str())] {
        let code = visitor.refused(&visitor.drafts(opened(text, name))).await?;
        assert!(["too_large", "invalid"].contains(&code.as_str()), "{code}");
    }
    let key = visitor.drafts(opened(&most, &"名".repeat(170)));
    let conversation = visitor.acked(&key).await?.conversation;
    agent.sees(&conversation, "assigned").await?;
    let say = |text: &str, note: bool| json!({ "type": "send", "conversation": conversation, "text": text, "note": note });
    for note in [false, true] {
        assert_eq!(agent.refused(&agent.drafts(say(&more, note))).await?, "too_large");
        agent.acked(&agent.drafts(say(&most, note))).await?;
    }
    let team = json!({ "kind": "team", "id": team(&server).await? });
    let transfer = |note: &str| json!({ "type": "transfer", "conversation": conversation, "to": team, "note": note });
    assert_eq!(agent.refused(&agent.drafts(transfer(&more))).await?, "too_large");
    agent.acked(&agent.drafts(transfer(&most))).await?;
    visitor.closes(&conversation).await?;
    let rate = |comment: &str| json!({ "type": "rate", "conversation": conversation, "score": 5, "comment": comment });
    assert_eq!(visitor.refused(&visitor.drafts(rate(&more))).await?, "too_large");
    visitor.acked(&visitor.drafts(rate(&most))).await?;

    let path = format!("/v1/conversations/{conversation}/events?after=0");
    let admin = server.agent_token("admin").await?;
    let events = server.asks(Ask::get(&path).bearer(&admin)).await?.ok()?.json["events"].clone();
    let kept = |kind: &str, field: &str| {
        let all = events.as_array().into_iter().flatten();
        all.filter(|event| event["type"] == kind && event[field] == most.as_str()).count()
    };
    let counts = [
        kept("message", "text"),
        kept("note", "text"),
        kept("transferred", "note"),
        kept("rated", "comment"),
    ];
    assert_eq!(counts, [2, 1, 1, 1], "{events}");
    Ok(())
}

async fn team(server: &Server) -> anyhow::Result<Value> {
    let admin = server.agent_token("admin").await?;
    let teams = server.asks(Ask::get("/v1/teams").bearer(&admin)).await?.ok()?;
    Ok(teams.json["teams"][0]["id"].clone())
}

#[tokio::test]
async fn one_anonymous_frame_does_not_kill_the_process() -> anyhow::Result<()> {
    // Not for want of time.
    let mut server =
        Server::start(Setup::default().with("KEFU__TRANSPORT__HELLO_TIMEOUT", "60s")).await?;
    for wrong in [r#"{"type":1,"data":1}"#, "", "{}", "[]", "null", "\"\""] {
        let mut raw = Raw::open(server.address, None).await?;
        raw.send_text(wrong).await?;
        assert_eq!(raw.hears("bye").await?["code"], "protocol", "{wrong}");
        raw.is_closed().await?;
    }
    let mut raw = Raw::hello(server.address, &server.visitor_token().await?).await?;
    raw.send(&json!({ "type": "open", "key": "o", "text": "hi" })).await?;
    assert!(raw.hears("ack").await?["conversation"].is_string(), "it still serves");
    let ended = server.ends(Duration::ZERO).await;
    assert!(ended.is_err(), "the process ended: {ended:?}");
    Ok(())
}

#[tokio::test]
async fn visitors_who_connect_at_once_do_not_kill_the_process() -> anyhow::Result<()> {
    let server = Server::start(Setup::default().unlimited()).await?;
    let mut tokens = Vec::new();
    for _ in 0..50 {
        tokens.push(server.visitor_token().await?);
    }
    let mut arriving = JoinSet::new();
    for token in tokens {
        let address = server.address;
        arriving.spawn(async move {
            // The same visitor twice, too.
            let (one, two) = tokio::join!(Raw::hello(address, &token), Raw::hello(address, &token));
            one.and(two)
        });
    }
    while let Some(arrived) = arriving.join_next().await {
        arrived??;
    }
    assert_eq!(server.asks(Ask::get("/health/ready")).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn history_is_unreadable_without_the_right_credentials() -> anyhow::Result<()> {
    let server = Server::start(Setup { agents: 2, ..Setup::default() }).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    visitor.says("a secret").await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    agent.hears("a secret").await?;
    let stranger = server.visitor_token().await?;
    let colleague = server.agent_token("agent2").await?;
    let one = |rest: &str| format!("/v1/conversations/{conversation}{rest}");
    let of_one = [one(""), one("/events"), one("/decisions"), one("/report")];
    let of_agents = [
        "/v1/conversations",
        "/v1/agents",
        "/v1/teams",
        "/v1/sites",
        "/v1/plugins",
        "/v1/plugins/trust",
        "/v1/stats",
        "/v1/me",
    ]
    .map(str::to_owned);
    for path in of_one.iter().chain(&of_agents) {
        for (who, token) in
            [("nobody", None), ("nonsense", Some("x.y")), ("a visitor", Some(stranger.as_str()))]
        {
            let ask = Ask { path, token, ..Ask::default() };
            let answer = server.asks(ask).await?;
            assert!([401, 403].contains(&answer.status), "{who} {path}: {}", answer.text);
        }
    }
    for path in &of_one {
        let answer = server.asks(Ask::get(path).bearer(&colleague)).await?;
        assert!([403, 404].contains(&answer.status), "a colleague, {path}: {}", answer.text);
    }
    let all = server.asks(Ask::get("/v1/conversations").bearer(&colleague)).await?;
    assert!(!all.text.contains(&conversation), "a colleague lists it: {}", all.text);
    let mine = server.asks(Ask::get("/v1/me/conversations").bearer(&stranger)).await?.ok()?;
    assert_eq!(mine.json["conversations"], json!([]));
    Ok(())
}

#[tokio::test]
async fn no_signing_secret_is_built_in() -> anyhow::Result<()> {
    let (one, other) =
        (Server::start(Setup::default()).await?, Server::start(Setup::default()).await?);
    for token in [one.visitor_token().await?, one.agent_token("admin").await?] {
        for path in ["/v1/me", "/v1/me/conversations"] {
            let answer = other.asks(Ask::get(path).bearer(&token)).await?;
            assert_eq!(answer.status, 401, "{path}: {}", answer.text);
        }
        let mut raw = Raw::open(other.address, None).await?;
        raw.send(&json!({ "type": "hello", "protocol": 1, "token": token })).await?;
        assert_eq!(raw.hears("bye").await?["code"], "unauthorized");
        Raw::hello(one.address, &token).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_forwarded_address_counts_from_configured_proxies_only() -> anyhow::Result<()> {
    for (trusted, refused) in [("[]", 4), (r#"["127.0.0.1"]"#, 0), (r#"["10.0.0.0/8"]"#, 4)] {
        let setup = Setup::default()
            .with("KEFU__LIMITS__VISITORS_PER_SECOND", "0.01")
            .with("KEFU__LIMITS__VISITORS_BURST", "2")
            .with("KEFU__SERVER__TRUSTED_PROXIES", trusted);
        let server = Server::start(setup).await?;
        let mut limited = 0;
        for n in 0..6 {
            let ask = Ask::post("/v1/visitors", json!({ "site": SITE }))
                .header("origin", ORIGIN)
                .header("x-forwarded-for", format!("203.0.113.{n}"));
            limited += usize::from(server.asks(ask).await?.status == 429);
        }
        assert_eq!(limited, refused, "trusted {trusted}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rate_limit_is_a_429_that_says_when_to_try_again() -> anyhow::Result<()> {
    let setup = Setup::default()
        .with("KEFU__LIMITS__MESSAGES_PER_SECOND", "0.5")
        .with("KEFU__LIMITS__MESSAGES_BURST", "2");
    let server = Server::start(setup).await?;
    let token = server.visitor_token().await?;
    let mut http = Connection::open(server.address).await?;
    let post = |body| Ask::post("/v1/commands", body).bearer(&token);
    let hello = json!({ "type": "hello", "protocol": 1 });
    let welcome = http.ask(post(json!({ "frames": [hello] }))).await?.ok()?;
    let session = welcome.json["frames"][0]["session"].clone();
    let open = json!({ "type": "open", "key": "o", "fields": {} });
    let opened = http.ask(post(json!({ "session": session, "frames": [open] }))).await?.ok()?;
    let conversation = opened.json["frames"][0]["conversation"].clone();
    let mut last = None;
    for n in 0..3 {
        let send = json!({ "type": "send", "conversation": conversation, "key": format!("k{n}"),
                           "text": "fast" });
        last = Some(http.ask(post(json!({ "session": session, "frames": [send] }))).await?);
    }
    let last = last.ok_or_else(|| anyhow::anyhow!("no answer"))?;
    assert_eq!((last.status, last.code()), (429, "rate_limited"));
    let seconds = last.headers.get("retry-after").and_then(|value| value.to_str().ok());
    assert!(seconds.is_some_and(|text| matches!(text.parse(), Ok(1..=3_u64))), "{last:?}");
    Ok(())
}

#[tokio::test]
async fn a_ping_that_shares_a_segment_with_messages_is_answered() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let mut bytes = Bytes::hello(server.address, &server.visitor_token().await?).await?;
    bytes.sends(&text(&json!({ "type": "open", "key": "o" }))).await?;
    let conversation = bytes.hears("ack").await?["conversation"].clone();
    let send = |n: u8| {
        text(&json!({ "type": "send", "conversation": conversation, "key": format!("k{n}"),
                      "text": "hi" }))
    };
    let (ours, theirs) = (text(&json!({ "type": "ping" })), frame(0x89, true, b"alive?"));
    // Between messages, before them and after them: ours is a frame of the protocol, theirs one of WebSocket.
    for n in 0..5 {
        let first = 3 * n;
        let segment = match n {
            0 => [send(0), ours.clone(), theirs.clone(), send(1), send(2)].concat(),
            1 => [ours.clone(), theirs.clone(), send(3), send(4), send(5)].concat(),
            _ => [send(first), send(first + 1), send(first + 2), theirs.clone(), ours.clone()]
                .concat(),
        };
        bytes.sends(&segment).await?;
        let (mut acks, mut pongs) = (0, [false, false]);
        while acks < 3 || pongs != [true, true] {
            match bytes.hears_any().await? {
                (0x0a, payload) => pongs[0] = payload == b"alive?",
                (_, payload) => {
                    let said: Value = serde_json::from_slice(&payload)?;
                    acks += usize::from(said["type"] == "ack");
                    pongs[1] |= said["type"] == "pong";
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_ping_that_shares_a_post_with_messages_is_answered() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let token = server.visitor_token().await?;
    let frames = json!([
        { "type": "hello", "protocol": 1 },
        { "type": "ping" },
        { "type": "open", "key": "o", "text": "hi" },
        { "type": "ping" },
    ]);
    let ask = Ask::post("/v1/commands", json!({ "frames": frames })).bearer(&token);
    let answer = server.asks(ask).await?.ok()?;
    let kinds: Vec<_> = (0..4_usize).map(|n| answer.json["frames"][n]["type"].clone()).collect();
    assert_eq!(kinds, ["welcome", "pong", "ack", "pong"]);
    Ok(())
}
