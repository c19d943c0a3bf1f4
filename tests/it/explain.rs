//! `kefu explain`: why this agent? Of a decision, in words and as JSON; where there is none, why there is none.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use kefu_tests::client::{Carrier, Client, Options};
use kefu_tests::server::{Server, Setup, program};
use serde_json::{Value, json};

/// Runs `kefu explain` on this data and holds its exit code and words against what is expected.
fn explains(data: &Path, args: &[&str], code: i32, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program()?);
    command.arg("explain").args(args).args(["--data-dir", &data.to_string_lossy()]);
    let output = command.output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    assert_eq!(output.status.code(), Some(code), "kefu explain {args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "kefu explain {args:?}: no {word:?} in {said}");
    }
    Ok(said)
}

/// An agent who is there and gets nothing by itself.
async fn busy(server: &Server, login: &str) -> anyhow::Result<Client> {
    let token = server.agent_token(login).await?;
    let agent = Client::connect(Options::new(server.address, &token, Carrier::WebSocket)).await?;
    agent.is("busy").await?;
    Ok(agent)
}

#[tokio::test]
async fn a_decision_is_explained_from_the_running_server_and_from_its_data() -> anyhow::Result<()> {
    let mut server = Server::start(Setup { agents: 3, ..Setup::default() }).await?;
    let data = server.data_dir();
    let one = server.agent("agent1", Carrier::WebSocket).await?;
    let two = busy(&server, "agent2").await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    visitor.sees(&conversation, "assigned").await?;
    let words = [
        &format!("conversation {conversation}, team Support, agent1 has it\n"),
        "decision 1 of 1, 20",
        "Z: given to agent1\n  by weighted-router 0.1.0 (routing/1), in ",
        "score  skill  load  quality   has  ",
        " 0.94   1.00  1.00     0.80  0/10  ",
        "agent1: got it\n",
        "\n  left out, not online: admin, agent2, agent3\n",
        "\n  left out, of another team",
    ];
    let said = explains(&data, &[&conversation], 0, &words[..7])?;
    assert!(!said.contains(words[7]) && !said.contains("by hand"), "{said}");

    let to = json!({ "kind": "agent", "id": two.id() });
    let transfer = json!({ "type": "transfer", "conversation": conversation, "to": to });
    one.acked(&one.drafts(transfer)).await?;
    let handed = explains(&data, &[&conversation], 0, &["agent2 has it", "later agent2 got it"])?;
    let whole = explains(&data, &["--json", &conversation], 0, &[])?;
    let whole: Value = serde_json::from_str(&whole).context("JSON")?;
    assert_eq!(whole["conversation"]["agent"], two.id());
    assert_eq!(whole["decisions"][0]["ranked"][0]["name"], "agent1");
    assert_eq!(whole["decisions"][0]["input"]["conversation"], conversation);
    assert_eq!(whole["policies"][0]["name"], "weighted-router");
    server.kill();
    assert_eq!(explains(&data, &[&conversation], 0, &[])?, handed, "no server is needed");
    Ok(())
}

#[tokio::test]
async fn where_nothing_was_decided_it_says_why() -> anyhow::Result<()> {
    let server = Server::start(Setup::default()).await?;
    let data = server.data_dir();
    explains(&data, &["99"], 1, &["kefu: conversation 99: no such conversation"])?;
    for word in ["amy", "0", "99999999999999999999"] {
        explains(&data, &[word], 1, &[&format!("`{word}` is no conversation's number")])?;
    }
    explains(&data, &[], 2, &["CONVERSATION"])?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let waits = visitor.opens().await?;
    let none = format!("nothing was decided about conversation {waits}: ");
    explains(&data, &[&waits], 1, &[&format!("{none}it waits, and nobody who may")])?;
    let agent = busy(&server, "agent1").await?;
    agent.acked(&agent.drafts(json!({ "type": "take", "conversation": waits }))).await?;
    explains(&data, &[&waits], 1, &[&format!("{none}agent1 took it by hand")])?;
    let message = json!({ "type": "open", "fields": {}, "text": "call me", "offline": true });
    let left = visitor.acked(&visitor.drafts(message)).await?.conversation;
    explains(&data, &[&left], 1, &["a message left for later, which an agent takes by hand"])?;
    explains(&data, &["--json", &left], 1, &["a message left for later"])?;
    visitor.closes(&left).await?;
    explains(&data, &[&left], 1, &["it ended before anybody had it"])?;
    Ok(())
}

#[test]
fn where_there_is_no_data_it_says_so_and_makes_none() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    explains(&data, &["1"], 1, &["no data in ", "start `kefu serve` first"])?;
    assert!(!data.exists());
    Ok(())
}
