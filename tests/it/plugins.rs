//! Plugins on a running server, as an operator handles them: `kefu plugin …`, fall-backs, quarantine, restart.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::bail;
use kefu_tests::client::Carrier;
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};
use serde_json::Value;
use tokio::time::sleep;

const PAUSE: Duration = Duration::from_millis(50);
/// Pauses until a wait is given up: 20 s.
const PATIENCE: u32 = 400;

/// Takes bare components.
fn unsigned() -> Setup {
    Setup::default().with("KEFU__PLUGINS__REQUIRE", "none")
}

/// A file that `cargo xtask plugins` builds.
pub(crate) fn built(path: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(path);
    assert!(file.is_file(), "{} is missing: run `cargo xtask plugins`", file.display());
    file
}

/// `kefu plugin` beside the running server: what it says, and whether it was content.
pub(crate) fn kefu(server: &Server, words: &[&str]) -> anyhow::Result<(bool, String)> {
    let output = Command::new(server.program())
        .arg("plugin")
        .args(words)
        .env("KEFU__SERVER__DATA_DIR", server.data_dir())
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Installs a bare component with this config, and lets it serve.
pub(crate) fn installs(
    server: &Server,
    file: &Path,
    config: &str,
) -> anyhow::Result<(bool, String)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config.json");
    std::fs::write(&path, config)?;
    let (file, path) = (file.display().to_string(), path.display().to_string());
    kefu(server, &["install", &file, "--plugin-config", &path, "--activate"])
}

/// The decision that a new conversation got, and the conversation's agent.
pub(crate) async fn decision(server: &Server) -> anyhow::Result<Value> {
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    visitor.sees(&conversation, "assigned").await?;
    let token = server.agent_token("admin").await?;
    let path = format!("/v1/conversations/{conversation}/decisions");
    // It is recorded with the assignment, so it is there as soon as that is seen.
    let mut answer = server.asks(Ask::get(&path).bearer(&token)).await?.ok()?;
    Ok(answer.json["decisions"][0].take())
}

/// Waits until `kefu plugin list` has a line with all of these words.
async fn lists(server: &Server, words: &[&str]) -> anyhow::Result<()> {
    let mut said = String::new();
    for _ in 0..PATIENCE {
        said = kefu(server, &["list"])?.1;
        if said.lines().any(|line| words.iter().all(|word| line.contains(word))) {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
    bail!("no line with {words:?}: {said}")
}

#[tokio::test]
async fn a_policy_that_traps_costs_nobody_an_agent() -> anyhow::Result<()> {
    let server = Server::start(unsigned().with("KEFU__PLUGINS__QUARANTINE_AFTER", "2")).await?;
    let _agent = server.agent("agent1", Carrier::WebSocket).await?;
    let hostile = built("plugin-tests/hostile.wasm");
    let (content, said) = installs(&server, &hostile, r#"{"deed":"trap"}"#)?;
    assert!(content && said.contains("hostile 0.1.0") && said.contains("serves"), "{said}");
    for _ in 0..2 {
        let decision = decision(&server).await?;
        assert_eq!(decision["outcome"], "fault");
        assert_eq!(decision["factor_names"][0], "free", "the built-in policy answered");
        assert!(decision["chosen"].is_string() && decision["generation"].is_null(), "{decision}");
    }
    lists(&server, &["hostile", "quarantined"]).await?;
    lists(&server, &["weighted-router", "active"]).await?;
    assert_eq!(decision(&server).await?["outcome"], "answered", "the one before serves again");
    Ok(())
}

#[tokio::test]
async fn each_generation_has_its_own_figures() -> anyhow::Result<()> {
    let server = Server::start(Setup { capacity: 9, ..unsigned() }).await?;
    let _agent = server.agent("agent1", Carrier::WebSocket).await?;
    for _ in 0..2 {
        assert_eq!(decision(&server).await?["outcome"], "answered");
    }
    let hostile = built("plugin-tests/hostile.wasm");
    let (content, said) = installs(&server, &hostile, r#"{"deed":"error"}"#)?;
    assert!(content, "{said}");
    assert_eq!(decision(&server).await?["outcome"], "error");
    let text = server.asks(Ask::get("/metrics")).await?.text;
    let (old, new) = (
        r#"{point="routing",plugin="weighted-router",generation="1""#,
        r#"{point="routing",plugin="hostile",generation="6""#,
    );
    for line in [
        format!("kefu_plugin_calls_total{old},outcome=\"answered\"}} 2\n"),
        format!("kefu_plugin_calls_total{old},outcome=\"error\"}} 0\n"),
        format!("kefu_plugin_calls_total{new},outcome=\"answered\"}} 0\n"),
        format!("kefu_plugin_calls_total{new},outcome=\"error\"}} 1\n"),
        format!("kefu_plugin_call_duration_seconds_count{old}}} 2\n"),
        format!("kefu_plugin_call_duration_seconds_count{new}}} 1\n"),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(text.contains(&format!("kefu_plugin_fuel_total{new}}}")), "{text}");
    let token = server.agent_token("admin").await?;
    let listed = server.asks(Ask::get("/v1/plugins").bearer(&token)).await?.ok()?;
    let served = &listed.json["points"]["routing"]["served"];
    assert_eq!((&served[0]["errors"], &served[1]["calls"]), (&1.into(), &2.into()), "{served}");
    assert_eq!(served[0]["generation"], listed.json["points"]["routing"]["active"]);
    Ok(())
}

#[tokio::test]
async fn what_was_swapped_in_serves_and_comes_back_after_a_crash() -> anyhow::Result<()> {
    let mut server = Server::start(unsigned()).await?;
    let core_module = built("wasm32-unknown-unknown/plugin/hostile.wasm");
    let (content, said) = installs(&server, &core_module, r#"{"deed":"reverse"}"#)?;
    assert!(content, "{said}");
    let (_, before) = kefu(&server, &["list"])?;
    server.kill();
    server.starts().await?;
    let (_, after) = kefu(&server, &["list"])?;
    assert_eq!(after, before);
    let _agent = server.agent("agent1", Carrier::WebSocket).await?;
    let decision = decision(&server).await?;
    assert_eq!(decision["outcome"], "answered", "{decision}");
    assert!(decision["generation"].is_string(), "{decision}");
    Ok(())
}

#[tokio::test]
async fn a_refusal_says_why_and_changes_nothing() -> anyhow::Result<()> {
    let server = Server::start(unsigned()).await?;
    let (_, before) = kefu(&server, &["list"])?;
    let router = built("plugins/weighted-router.wasm");
    let not_wasm = server.data_dir().join("../not.wasm");
    std::fs::write(&not_wasm, "MZ")?;
    for (file, config, words) in [
        (router.clone(), r#"{"load":2}"#, "config: /load: 2 is greater than the maximum of 1"),
        (router.clone(), r#"{"lode":1}"#, "'lode' was unexpected"),
        (router, r#"{"load":0.5}"#, "must be 1"),
        (not_wasm, "{}", "not WebAssembly"),
    ] {
        let (content, said) = installs(&server, &file, config)?;
        assert!(!content && said.contains(words), "{said}");
    }
    assert_eq!(kefu(&server, &["list"])?.1, before);
    Ok(())
}

/// Lets a generation be served, goes back and forth by `kefu plugin` and over HTTP, and looks each time at who decides.
#[tokio::test]
async fn activated_and_rolled_back_the_next_decision_follows() -> anyhow::Result<()> {
    let server = Server::start(unsigned()).await?;
    let _agent = server.agent("agent1", Carrier::WebSocket).await?;
    let shipped = decision(&server).await?["generation"].clone();
    assert!(shipped.is_string(), "{shipped}");
    let hostile = built("plugin-tests/hostile.wasm");
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("config.json");
    std::fs::write(&config, r#"{"deed":"behave"}"#)?;
    let (file, config) = (hostile.display().to_string(), config.display().to_string());
    let (content, said) = kefu(&server, &["install", &file, "--plugin-config", &config])?;
    assert!(content && said.contains("admitted as routing/6"), "{said}");
    assert_eq!(decision(&server).await?["generation"], shipped, "it does not serve yet");

    let (content, said) = kefu(&server, &["activate", "routing/6"])?;
    assert!(content && said.contains("routing/6 hostile 0.1.0 ("), "{said}");
    let hostile = decision(&server).await?["generation"].clone();
    assert!(hostile.is_string() && hostile != shipped, "{hostile}");

    let (content, said) = kefu(&server, &["rollback", "routing"])?;
    assert!(content && said.contains("routing is served by routing/1 weighted-router"), "{said}");
    assert_eq!(decision(&server).await?["generation"], shipped);
    lists(&server, &["weighted-router", "active"]).await?;
    lists(&server, &["hostile", "retired"]).await?;

    // Over HTTP, and by its id.
    let admin = server.agent_token("admin").await?;
    let rolled = Ask::post("/v1/plugins/points/routing/rollback", Value::Null).bearer(&admin);
    let rolled = server.asks(rolled).await?.ok()?;
    assert_eq!(rolled.json["generation"]["id"], hostile, "the one that served before");
    assert_eq!(decision(&server).await?["generation"], hostile);
    let (content, said) = kefu(&server, &["activate", shipped.as_str().unwrap_or_default()])?;
    assert!(content && said.contains("routing/1 weighted-router"), "{said}");
    assert_eq!(decision(&server).await?["generation"], shipped);
    Ok(())
}

#[tokio::test]
async fn a_filter_that_breaks_keeps_no_message_back() -> anyhow::Result<()> {
    let server = Server::start(unsigned().with("KEFU__PLUGINS__QUARANTINE_AFTER", "2")).await?;
    let agent = server.agent("agent1", Carrier::WebSocket).await?;
    let visitor = server.visitor(Carrier::WebSocket).await?;
    let conversation = visitor.opens().await?;
    let hostile = built("plugin-tests/hostile-filter.wasm");
    for (deed, number) in [("trap", "filter/2"), ("loop", "filter/3")] {
        let config = format!(r#"{{"deed":"{deed}"}}"#);
        let (content, said) = installs(&server, &hostile, &config)?;
        assert!(content && said.contains("serves"), "{said}");
        // The shipped filter would star the number out; where none answers, the text goes as it is.
        for n in 0..2 {
            let text = format!("{deed} {n}: 13812345678");
            let ack = visitor.says_in(&conversation, &text).await?;
            assert_eq!(ack.text, None, "{deed}");
            agent.hears(&text).await?;
        }
        lists(&server, &[number, "hostile-filter", "quarantined"]).await?;
        lists(&server, &["filter/1", "message-filter", "active"]).await?;
        let ack = visitor.says_in(&conversation, &format!("{deed}: 13812345678")).await?;
        let text = ack.text.unwrap_or_default();
        assert!(text.contains('*'), "the one before serves again: {text}");
    }
    Ok(())
}
