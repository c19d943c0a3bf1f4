//! A visitor and an agent talk: both carriers, both languages, from opening to rating.

use kefu_tests::checker;
use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};
use serde_json::json;

stories!(
    both_by_websocket,
    both_by_long_poll,
    a_note_is_not_shown_to_the_visitor,
    a_visitor_waits_until_an_agent_comes,
    typing_reaches_the_other_side,
    a_supervising_page_reads_the_history,
    who_looked_while_it_waited_hears_no_more_once_a_colleague_has_it,
);

mod stories {
    use super::*;

    async fn talk(setup: Setup, visitors: Carrier, agents: Carrier) -> anyhow::Result<()> {
        let server = Server::start(setup).await?;
        let agent = server.agent("agent1", agents).await?;
        let visitor = server.visitor(visitors).await?;
        let conversation = visitor.opens().await?;
        visitor.sees(&conversation, "assigned").await?;
        visitor.says("你好，请问什么时候发货？").await?;
        agent.hears("你好，请问什么时候发货？").await?;
        agent.says("您好，今天下午发货 🙂").await?;
        visitor.hears("您好，今天下午发货 🙂").await?;
        visitor.says("Thanks, and do you ship <b>abroad</b>?").await?;
        agent.hears("Thanks, and do you ship <b>abroad</b>?").await?;
        agent.says("We do.").await?;
        visitor.hears("We do.").await?;
        let closed = agent.closes(&conversation).await?;
        visitor.reaches(&conversation, closed.seq).await?;
        agent.reaches(&conversation, closed.seq).await?;
        let rating = json!({ "type": "rate", "conversation": conversation, "score": 5 });
        let key = visitor.drafts(rating);
        visitor.acked(&key).await?;
        verify(&server, &[&visitor, &agent])
    }

    fn verify(server: &Server, clients: &[&Client]) -> anyhow::Result<()> {
        let logs: Vec<_> = clients.iter().map(|client| client.log()).collect();
        let findings = checker::check(&logs, &checker::read_stream(&server.data_dir())?);
        assert!(findings.clean(), "{findings:#?}");
        assert!(findings.acked > 0 && findings.heard > 0, "{findings:#?}");
        Ok(())
    }

    pub(super) async fn both_by_websocket(setup: Setup) -> anyhow::Result<()> {
        talk(setup, Carrier::WebSocket, Carrier::WebSocket).await
    }

    pub(super) async fn both_by_long_poll(setup: Setup) -> anyhow::Result<()> {
        talk(setup, Carrier::LongPoll, Carrier::LongPoll).await
    }

    pub(super) async fn a_note_is_not_shown_to_the_visitor(setup: Setup) -> anyhow::Result<()> {
        let server = Server::start(setup).await?;
        let agent = server.agent("agent1", Carrier::WebSocket).await?;
        let visitor = server.visitor(Carrier::LongPoll).await?;
        let conversation = visitor.opens().await?;
        visitor.says("hi").await?;
        agent.hears("hi").await?;
        let note =
            json!({ "type": "send", "conversation": conversation, "text": "vip", "note": true });
        let key = agent.drafts(note);
        agent.acked(&key).await?;
        agent.says("hello").await?;
        visitor.hears("hello").await?;
        let secret =
            |view: &Vec<serde_json::Value>| view.iter().any(|event| event["text"] == "vip");
        assert!(!visitor.log().views.values().any(secret));
        verify(&server, &[&visitor, &agent])
    }

    pub(super) async fn a_visitor_waits_until_an_agent_comes(setup: Setup) -> anyhow::Result<()> {
        let server = Server::start(setup).await?;
        let visitor = server.visitor(Carrier::WebSocket).await?;
        let conversation = visitor.opens().await?;
        visitor.says("anyone?").await?;
        visitor.is_told("position", |frame| frame["ahead"] == 0).await?;
        let agent = server.agent("agent1", Carrier::WebSocket).await?;
        visitor.sees(&conversation, "assigned").await?;
        agent.hears("anyone?").await?;
        Ok(())
    }

    pub(super) async fn typing_reaches_the_other_side(setup: Setup) -> anyhow::Result<()> {
        let server = Server::start(setup).await?;
        let agent = server.agent("agent1", Carrier::WebSocket).await?;
        let visitor = server.visitor(Carrier::WebSocket).await?;
        let conversation = visitor.opens().await?;
        visitor.says("hi").await?;
        agent.hears("hi").await?;
        visitor.signals(json!({ "type": "typing", "conversation": conversation, "on": true }));
        agent.is_told("typing", |frame| frame["on"] == true).await?;
        Ok(())
    }

    pub(super) async fn a_supervising_page_reads_the_history(setup: Setup) -> anyhow::Result<()> {
        let server = Server::start(setup).await?;
        let visitor = server.visitor(Carrier::WebSocket).await?;
        let conversation = visitor.opens().await?;
        visitor.says("hi").await?;
        let path = format!("/v1/conversations/{conversation}/events?after=0");
        assert_eq!(server.asks(Ask::get(&path)).await?.status, 401);
        let token = server.agent_token("admin").await?;
        let answer = server.asks(Ask::get(&path).bearer(&token)).await?.ok()?;
        let events = answer.json["events"].as_array().map(Vec::len);
        assert!(events >= Some(3), "{}", answer.text);
        Ok(())
    }

    pub(super) async fn who_looked_while_it_waited_hears_no_more_once_a_colleague_has_it(
        setup: Setup,
    ) -> anyhow::Result<()> {
        let server = Server::start(Setup { agents: 2, ..setup }).await?;
        let (amy, bob) = (busy(&server, "agent1").await?, busy(&server, "agent2").await?);
        let visitor = server.visitor(Carrier::WebSocket).await?;
        let conversation = visitor.opens().await?;
        visitor.says("anyone?").await?;
        for agent in [&amy, &bob] {
            agent.signals(json!({ "type": "follow", "conversation": conversation, "seq": 0 }));
            agent.hears("anyone?").await?;
        }
        amy.acked(&amy.drafts(json!({ "type": "take", "conversation": conversation }))).await?;
        bob.is_told("gone", |frame| frame["conversation"] == *conversation).await?;
        let note =
            json!({ "type": "send", "conversation": conversation, "text": "vip", "note": true });
        amy.acked(&amy.drafts(note)).await?;
        visitor.says("my card number").await?;
        amy.hears("my card number").await?;
        // What bob hears next came after all of that.
        let other = server.visitor(Carrier::WebSocket).await?;
        let next = other.opens().await?;
        bob.is_told("conversation", |frame| frame["conversation"]["id"] == *next).await?;
        let said = bob.log().views.remove(&conversation).unwrap_or_default();
        let after =
            said.iter().filter(|event| event["text"] == "vip" || event["text"] == "my card number");
        assert_eq!(after.count(), 0, "{said:?}");
        Ok(())
    }

    async fn busy(server: &Server, login: &str) -> anyhow::Result<Client> {
        let token = server.agent_token(login).await?;
        let options = Options::new(server.address, &token, Carrier::WebSocket);
        let agent = Client::connect(options).await?;
        agent.is("busy").await?;
        Ok(agent)
    }
}
