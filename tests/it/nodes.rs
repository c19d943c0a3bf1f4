//! Several nodes on one Redis and one PostgreSQL: a visitor on one, agents on another. The archive is not part of these
//! stories; what is said is in Redis.

use kefu::runtime::{Clock, fresh_id};
use kefu_servers::{Database, named};
use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};
use serde_json::json;

/// Two nodes and the database they share; `None` where a server is missing.
async fn nodes(redis: &str, setup: Setup) -> anyhow::Result<Option<(Database, Server, Server)>> {
    let (Some(redis), Some(url)) = (named(redis), named("KEFU_TEST_POSTGRES")) else {
        return Ok(None);
    };
    let database = Database::fresh(&url)?;
    let setup = setup
        .on(&database.url())
        .with("KEFU__REDIS__URL", &redis)
        .with("KEFU__REDIS__PREFIX", &format!("it{}", fresh_id(&Clock::system())))
        .with("KEFU__SESSIONS__GRACE", "2s");
    let one = Server::start(setup).await?;
    let two = one.joins().await?;
    Ok(Some((database, one, two)))
}

async fn talk_across(redis: &str, carrier: Carrier) -> anyhow::Result<()> {
    let Some((_database, one, two)) = nodes(redis, Setup::default()).await? else { return Ok(()) };
    let agent = two.agent("agent1", carrier).await?;
    let visitor = one.visitor(carrier).await?;
    let conversation = visitor.opens().await?;
    visitor.sees(&conversation, "assigned").await?;
    agent.sees(&conversation, "assigned").await?;
    visitor.says("你好").await?;
    agent.hears("你好").await?;
    agent.says("hello").await?;
    visitor.hears("hello").await?;
    agent.signals(json!({ "type": "typing", "conversation": conversation, "on": true }));
    visitor.is_told("typing", |frame| frame["on"] == true).await?;
    let closed = agent.closes(&conversation).await?;
    visitor.reaches(&conversation, closed.seq).await?;
    // The node that remembers the conversation as it was takes nothing more either.
    let key = visitor.drafts_in(&conversation, "one more thing");
    assert_eq!(visitor.refused(&key).await?, "conflict");
    Ok(())
}

#[tokio::test]
async fn a_visitor_and_an_agent_on_different_nodes_talk() -> anyhow::Result<()> {
    talk_across("KEFU_TEST_REDIS", Carrier::WebSocket).await
}

#[tokio::test]
async fn a_visitor_and_an_agent_on_different_nodes_talk_over_a_redis_cluster() -> anyhow::Result<()>
{
    talk_across("KEFU_TEST_REDIS_CLUSTER", Carrier::LongPoll).await
}

#[tokio::test]
async fn a_killed_nodes_agent_is_lost_and_its_visitor_waits_again() -> anyhow::Result<()> {
    let setup = Setup { agents: 2, ..Setup::default() };
    let Some((_database, one, mut two)) = nodes("KEFU_TEST_REDIS", setup).await? else {
        return Ok(());
    };
    let agent = two.agent("agent1", Carrier::WebSocket).await?;
    let visitor = one.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    visitor.sees(&conversation, "assigned").await?;
    agent.sees(&conversation, "assigned").await?;
    two.kill();
    visitor
        .until("the conversation back in the queue", |state| {
            let view = state.log.views.get(&conversation)?;
            (view.iter().filter(|event| event["type"] == "queued").count() == 2).then_some(())
        })
        .await?;
    let other = one.agent("agent2", Carrier::WebSocket).await?;
    other.sees(&conversation, "assigned").await?;
    other.says_in(&conversation, "I am here now").await?;
    visitor.hears("I am here now").await?;
    Ok(())
}

#[tokio::test]
async fn a_session_goes_on_at_another_node_and_ends_on_all() -> anyhow::Result<()> {
    let Some((_database, one, two)) = nodes("KEFU_TEST_REDIS", Setup::default()).await? else {
        return Ok(());
    };
    let agent = two.agent("agent1", Carrier::WebSocket).await?;
    let token = one.visitor_token().await?;
    let visitor = Client::connect(Options::new(one.address, &token, Carrier::WebSocket)).await?;
    let conversation = visitor.opens().await?;
    agent.sees(&conversation, "assigned").await?;
    let said = agent.says_in(&conversation, "are you there?").await?;
    drop(visitor);
    let again = Client::connect(Options::new(two.address, &token, Carrier::WebSocket)).await?;
    again.follows(&conversation, 0);
    again.reaches(&conversation, said.seq).await?;

    let admin = one.agent_token("admin").await?;
    let path = format!("/v1/agents/{}", agent.id());
    let mut off = Ask::post(&path, json!({ "enabled": false })).bearer(&admin);
    off.method = "PATCH";
    one.asks(off).await?.ok()?;
    let ended = agent.until("its end", |_| None::<()>).await.unwrap_err().to_string();
    assert!(ended.contains("unauthorized"), "on the other node: {ended}");
    Ok(())
}
