//! The further policies that come with the program: on a fresh server one command lets one serve, and it decides as it
//! says, whoever the shipped one would have chosen.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kefu::domain::ids::{AgentId, VisitorId};
use kefu_tests::client::{Carrier, Client};
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Every story below with rows in SQLite, and again with rows in PostgreSQL.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $story() -> anyhow::Result<()> {
                stories::$story(Setup::default()).await
            }
        )+

        mod on_postgres {
            $(
                #[tokio::test]
                async fn $story() -> anyhow::Result<()> {
                    let Some(url) = kefu_servers::named("KEFU_TEST_POSTGRES") else { return Ok(()) };
                    let database = kefu_servers::Database::fresh(&url)?;
                    let setup = kefu_tests::server::Setup::default().on(&database.url());
                    super::stories::$story(setup).await
                }
            )+
        }
    };
}

stories!(
    round_robin_goes_around_over_absences_and_a_crash,
    least_busy_takes_who_has_fewest,
    longest_idle_takes_who_waited_longest_for_one,
    a_returning_visitor_comes_back_to_its_agent,
);

/// `kefu plugin` beside the running server.
fn kefu(server: &Server, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(server.program());
    command.arg("plugin").args(words).env("KEFU__SERVER__DATA_DIR", server.data_dir());
    if let Some(url) = server.database() {
        command.env("KEFU__STORAGE__URL", url);
    }
    let output = command.output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    if !output.status.success() {
        bail!("kefu plugin {words:?}: {said}");
    }
    Ok(said)
}

/// A fresh server on which this policy is let serve, and its agents, online, in the order of their numbers.
async fn serving(setup: Setup, policy: &str, agents: u16) -> anyhow::Result<(Server, Vec<Client>)> {
    let server = Server::start(Setup { agents, ..setup }).await?;
    let listed = kefu(&server, &["list"])?;
    let line = listed.lines().find(|line| line.contains(&format!(" {policy} ")));
    let line = line.with_context(|| format!("no {policy} in {listed}"))?;
    assert!(line.ends_with("admitted"), "it came with the program and does not serve: {line}");
    let number = line.split(' ').next().unwrap_or_default();
    let said = kefu(&server, &["activate", number])?;
    assert!(said.contains(policy) && said.contains("serves"), "{said}");
    let mut clients = Vec::new();
    for number in 1..=agents {
        clients.push(server.agent(&format!("agent{number}"), Carrier::WebSocket).await?);
    }
    clients.sort_by_key(|client| client.id().parse::<u64>().ok());
    Ok((server, clients))
}

/// The agent to whom a new conversation of this visitor goes, and the conversation.
async fn goes_to(visitor: &Client) -> anyhow::Result<(String, String)> {
    let conversation = visitor.opens().await?;
    let assigned = visitor.sees(&conversation, "assigned").await?;
    let agent = assigned["agent"].as_str().context("no agent")?.to_owned();
    Ok((agent, conversation))
}

/// As [`goes_to`], of somebody new.
async fn next(server: &Server) -> anyhow::Result<(String, String)> {
    goes_to(&server.visitor(Carrier::WebSocket).await?).await
}

async fn decision(server: &Server, conversation: &str) -> anyhow::Result<Value> {
    let token = server.agent_token("admin").await?;
    let path = format!("/v1/conversations/{conversation}/decisions");
    Ok(server.asks(Ask::get(&path).bearer(&token)).await?.ok()?.json)
}

mod stories {
    use super::*;

    pub(super) async fn round_robin_goes_around_over_absences_and_a_crash(
        setup: Setup,
    ) -> anyhow::Result<()> {
        let (mut server, agents) = serving(setup, "round-robin", 3).await?;
        let [a, b, c] = [0, 1, 2].map(|at: usize| agents[at].id());
        assert_eq!(next(&server).await?.0, a);
        assert_eq!(next(&server).await?.0, b);
        agents[2].is("away").await?;
        let (third, conversation) = next(&server).await?;
        assert_eq!(third, a, "{c} is away: its turn is passed over");
        let kept = decision(&server, &conversation).await?;
        let made = &kept["decisions"][0];
        assert_eq!(made["factor_names"], json!(["turn"]));
        assert_eq!(made["input"]["attrs"], json!([["language", "en"], ["last_assigned", b]]));
        assert_eq!(kept["policies"][0]["name"], "round-robin");
        assert_eq!(kept["policies"][0]["generation"], made["generation"]);
        agents[2].is("online").await?;
        assert_eq!(next(&server).await?.0, b, "{c} has been idle longest, but it is not its turn");

        let before: Vec<_> =
            agents.iter().map(|agent| agent.look(|state| state.welcomes)).collect();
        server.kill();
        server.starts().await?;
        for (agent, before) in agents.iter().zip(before) {
            agent.until("being back", |state| (state.welcomes > before).then_some(())).await?;
        }
        assert_eq!(next(&server).await?.0, c, "whose turn it was is kept");
        assert_eq!(next(&server).await?.0, a);
        Ok(())
    }

    /// Three agents have one conversation each; the one who got the last ends it. Then who gets the next?
    async fn after_the_last_ended(
        (server, agents): &(Server, Vec<Client>),
    ) -> anyhow::Result<([String; 3], String)> {
        let mut had = Vec::new();
        for _ in 0..3 {
            had.push(next(server).await?);
        }
        let (last, conversation) = &had[2];
        let client = agents.iter().find(|agent| agent.id() == *last).context("who?")?;
        client.closes(conversation).await?;
        let order = [0, 1, 2].map(|at: usize| had[at].0.clone());
        let mut all: Vec<_> = order.to_vec();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 3, "each got one: {order:?}");
        Ok((order, next(server).await?.0))
    }

    pub(super) async fn least_busy_takes_who_has_fewest(setup: Setup) -> anyhow::Result<()> {
        let desk = serving(setup, "least-busy", 3).await?;
        let (order, next) = after_the_last_ended(&desk).await?;
        assert_eq!(next, order[2], "who has none, of {order:?}");
        Ok(())
    }

    pub(super) async fn longest_idle_takes_who_waited_longest_for_one(
        setup: Setup,
    ) -> anyhow::Result<()> {
        let desk = serving(setup, "longest-idle", 3).await?;
        let (order, next) = after_the_last_ended(&desk).await?;
        assert_eq!(next, order[0], "who got the first, of {order:?}, though another has none");
        Ok(())
    }

    pub(super) async fn a_returning_visitor_comes_back_to_its_agent(
        setup: Setup,
    ) -> anyhow::Result<()> {
        let (server, agents) = serving(setup, "returning-visitor-first", 2).await?;
        let visitor = server.visitor(Carrier::WebSocket).await?;
        let (known, first) = goes_to(&visitor).await?;
        let (other, second) = next(&server).await?;
        assert_ne!(known, other, "a new visitor goes where most is free");
        assert_eq!(next(&server).await?.0, known, "equals: to the longest idle");
        for agent in &agents {
            let its = if agent.id() == known { &first } else { &second };
            agent.closes(its).await?;
        }
        remembered(&server, &visitor, &known).await?;
        // Now the one it knows has a conversation, and the other has none.
        let (again, third) = goes_to(&visitor).await?;
        let kept = decision(&server, &third).await?;
        assert_eq!(again, known, "{kept}");
        assert_eq!(kept["decisions"][0]["factor_names"], json!(["returning", "free"]));
        assert_eq!(kept["decisions"][0]["ranked"][0]["factors"], json!([1.0, 0.9]));
        assert_eq!(next(&server).await?.0, other, "everybody else goes to who is free");
        Ok(())
    }

    /// Waits until it is kept who answered this visitor: soon after the conversation ended.
    async fn remembered(server: &Server, visitor: &Client, agent: &str) -> anyhow::Result<()> {
        let rows = server.rows().await?;
        let (visitor, agent): (VisitorId, AgentId) = (visitor.id().parse()?, agent.parse()?);
        for _ in 0..400 {
            if rows.visitor(visitor).await?.is_some_and(|row| row.last_agent == Some(agent)) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("{visitor} is not remembered: {}", server.log())
    }
}
