//! Coming back: nothing is missed, nothing is doubled, nobody is held up.

use std::time::Duration;

use kefu_tests::checker;
use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::http::{Ask, Connection};
use kefu_tests::server::{Server, Setup};
use serde_json::{Value, json};

#[tokio::test]
async fn after_a_thousand_missed_messages_all_come_in_order() -> anyhow::Result<()> {
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        let server = Server::start(Setup::default().unlimited()).await?;
        let token = server.visitor_token().await?;
        let visitor = Client::connect(Options::new(server.address, &token, carrier)).await?;
        let conversation = visitor.opens().await?;
        let seen = visitor.says("before").await?;
        visitor.reaches(&conversation, seen.seq).await?;
        drop(visitor);
        let agent = server.agent("agent1", Carrier::WebSocket).await?;
        agent.sees(&conversation, "assigned").await?;
        let keys: Vec<_> =
            (0..1000).map(|n| agent.drafts_in(&conversation, &format!("line {n}"))).collect();
        agent.settles().await?;
        let last = agent.acked(&keys[999]).await?;
        let mut options = Options::new(server.address, &token, carrier);
        options.resume.push((conversation.clone(), seen.seq));
        let back = Client::connect(options).await?;
        back.reaches(&conversation, last.seq).await?;
        let logs = [back.log(), agent.log()];
        let findings = checker::check(&logs, &checker::read_stream(&server.data_dir())?);
        assert_eq!(
            (findings.lost, findings.doubled, findings.reordered),
            (0, 0, 0),
            "{findings:#?}"
        );
        let first = logs[0].views[&conversation][0]["seq"].as_u64();
        assert_eq!(first, Some(seen.seq + 1));
    }
    Ok(())
}

#[tokio::test]
async fn a_cut_connection_resumes_by_itself() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        let visitor = server.visitor(carrier).await?;
        let conversation = visitor.opens().await?;
        visitor.says("one").await?;
        agent.sees(&conversation, "assigned").await?;
        visitor.reconnects().await?;
        agent.says_in(&conversation, "two").await?;
        visitor.hears("two").await?;
        agent.reconnects().await?;
        let said = visitor.says("three").await?;
        agent.reaches(&conversation, said.seq).await?;
        visitor.reaches(&conversation, said.seq).await?;
        let stream = checker::read_stream(&server.data_dir())?;
        let findings = checker::check(&[visitor.log(), agent.log()], &stream);
        // The agent's log also has the other visitor's conversation, so only the other three count.
        assert_eq!(
            (findings.lost, findings.doubled, findings.reordered),
            (0, 0, 0),
            "{findings:#?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_same_key_is_the_same_message() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    let key = visitor.drafts_in(&conversation, "once");
    let first = visitor.acked(&key).await?;
    visitor.repeats(&key)?;
    visitor.settles().await?;
    assert_eq!(visitor.acked(&key).await?.seq, first.seq);
    let stream = checker::read_stream(&server.data_dir())?;
    let once = stream[&conversation].iter().filter(|event| event.body["text"] == "once");
    assert_eq!(once.count(), 1);
    assert!(checker::check(&[visitor.log()], &stream).clean());
    Ok(())
}

#[tokio::test]
async fn an_idempotency_key_is_the_key_of_a_posted_command() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let token = server.visitor_token().await?;
    let mut http = Connection::open(server.address).await?;
    let hello = json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] });
    let post = |body| Ask::post("/v1/commands", body).bearer(&token);
    let welcome = http.ask(post(json!({ "frames": [hello] }))).await?.ok()?;
    let session = welcome.json["frames"][0]["session"].clone();
    let mut acks = Vec::new();
    for _ in 0..3 {
        let open = json!({ "type": "open", "fields": {} });
        let body = json!({ "session": session, "frames": [open] });
        let answer = http.ask(post(body).header("idempotency-key", "open-1")).await?.ok()?;
        acks.push(answer.json["frames"][0]["conversation"].clone());
    }
    assert!(acks[0].is_string() && acks.iter().all(|ack| *ack == acks[0]), "{acks:?}");
    Ok(())
}

#[tokio::test]
async fn a_slow_reader_holds_nobody_up_is_cut_and_misses_nothing() -> anyhow::Result<()> {
    // Its goodbye is to reach it, however long this machine takes until it reads again. And whoever it held up would be
    // held up for these ten minutes: far longer than the visitor is patient, which a busy machine only makes slow.
    let setup = Setup::default().unlimited().with("KEFU__TRANSPORT__WRITE_TIMEOUT", "10m");
    let server = Server::start(setup).await?;
    let token = server.agent_token("agent1").await?;
    let mut options = Options::new(server.address, &token, Carrier::WebSocket);
    options.receive_buffer = Some(4096);
    options.patience = Duration::from_secs(60);
    let slow = Client::connect(options).await?;
    slow.is("online").await?;
    let token = server.visitor_token().await?;
    let mut options = Options::new(server.address, &token, Carrier::WebSocket);
    options.patience = Duration::from_secs(120);
    let visitor = Client::connect(options).await?;
    let conversation = visitor.opens().await?;
    slow.sees(&conversation, "assigned").await?;
    slow.reads(false);
    let text = "x".repeat(4000);
    for n in 0..1500 {
        let _ = visitor.drafts_in(&conversation, &format!("{n} {text}"));
    }
    visitor.settles().await?;
    let last = visitor.says("last").await?;
    visitor.reaches(&conversation, last.seq).await?;
    let text = server.asks(Ask::get("/metrics")).await?.text;
    assert!(text.contains("kefu_slow_readers_total 1\n"), "{text}");
    assert_eq!(slow.look(|state| state.welcomes), 1, "it has not seen that yet");
    slow.reads(true);
    let cut = |frame: &&Value| frame["type"] == "bye" && frame["code"] == "slow_reader";
    slow.until("bye slow_reader", |state| state.signals.iter().find(cut).map(|_| ())).await?;
    slow.reaches(&conversation, last.seq).await?;
    assert_eq!(slow.look(|state| state.welcomes), 2, "it came back once");
    let stream = checker::read_stream(&server.data_dir())?;
    let findings = checker::check(&[visitor.log(), slow.log()], &stream);
    assert!(findings.clean(), "{findings:#?}");
    Ok(())
}

#[tokio::test]
async fn many_drafts_in_flight_keep_their_order_also_across_a_reconnect() -> anyhow::Result<()> {
    for carrier in [Carrier::WebSocket, Carrier::LongPoll] {
        let server = Server::start(Setup::default().unlimited()).await?;
        let token = server.visitor_token().await?;
        let mut options = Options::new(server.address, &token, carrier);
        options.pipelines = true;
        let visitor = Client::connect(options).await?;
        // Two conversations: each keeps its own order.
        let talks = [visitor.opens().await?, visitor.opens().await?];
        let mut keys = Vec::new();
        for n in 0..400 {
            for talk in &talks {
                keys.push(visitor.drafts_in(talk, &format!("line {n}")));
            }
            if n == 200 {
                // Somewhere in the middle of what is on its way.
                visitor.acked(&keys[40]).await?;
                visitor.reconnects().await?;
            }
        }
        visitor.settles().await?;
        let stream = checker::read_stream(&server.data_dir())?;
        for (at, talk) in talks.iter().enumerate() {
            let said = stream[talk].iter().filter(|event| event.body["type"] == "message");
            let said: Vec<_> = said.map(|event| event.body["text"].clone()).collect();
            let drafted: Vec<_> = (0..400).map(|n| json!(format!("line {n}"))).collect();
            assert_eq!(said, drafted, "{carrier:?}, conversation {at}");
            let last = visitor.acked(&keys[798 + at]).await?;
            visitor.reaches(talk, last.seq).await?;
        }
        let findings = checker::check(&[visitor.log()], &stream);
        assert!(findings.clean(), "{carrier:?}: {findings:#?}");
    }
    Ok(())
}
