//! `kefu plugin install|list|activate|rollback`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::link::Link;
use super::team::text;
use super::{say, say_each};
use crate::config::Config;

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Check a component and keep it as a new generation of its point.
    Install(Install),
    /// List generations.
    List,
    /// Let a generation serve.
    Activate {
        /// Its id, or its point and number as routing/3.
        generation: String,
    },
    /// Let the generation before the active one serve again.
    Rollback {
        /// Which point.
        #[arg(value_parser = ["routing", "filter", "inspection"])]
        point: String,
    },
}

/// A component to install.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// The component (.wasm).
    file: PathBuf,
    /// Its name [default: the file's name].
    #[arg(long)]
    name: Option<String>,
    /// Its version.
    #[arg(long, default_value = "0.1.0")]
    version: String,
    /// A file with its config (JSON).
    #[arg(long, value_name = "FILE")]
    plugin_config: Option<PathBuf>,
    /// Let it serve at once.
    #[arg(long)]
    activate: bool,
}

pub(super) async fn run(command: Plugin, config: Config) -> anyhow::Result<()> {
    let mut link = match command {
        Plugin::Install(_) => Link::open(config).await?,
        _ => Link::open_existing(config).await?,
    };
    match command {
        Plugin::Install(new) => install(&mut link, new).await?,
        Plugin::List => list(&mut link).await?,
        Plugin::Activate { generation } => {
            let id = find(&mut link, &generation).await?;
            activate(&mut link, &id).await?;
        }
        Plugin::Rollback { point } => {
            let path = format!("/v1/plugins/points/{point}/rollback");
            let answer = link.post(&path, &Value::Null).await;
            let answer = answer.with_context(|| format!("{point} is not rolled back"))?;
            say(&format!("{point} is served by {}", shown(&answer["generation"])))?;
        }
    }
    link.close().await;
    Ok(())
}

async fn install(link: &mut Link, new: Install) -> anyhow::Result<()> {
    let component = std::fs::read(&new.file)
        .with_context(|| format!("{} cannot be read", new.file.display()))?;
    let config = match &new.plugin_config {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?,
        None => "{}".to_owned(),
    };
    let stem = new.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = new.name.or(stem).unwrap_or_default();
    let query = [("name", &name), ("version", &new.version), ("config", &config)]
        .map(|(key, value)| format!("{key}={}", escaped(value)))
        .join("&");
    let answer = link.post_bytes(&format!("/v1/plugins?{query}"), component).await;
    let answer = answer.with_context(|| format!("{} is not installed", new.file.display()))?;
    let generation = &answer["generation"];
    say(&format!("admitted as {}", shown(generation)))?;
    if new.activate {
        activate(link, text(&generation["id"])).await?;
    }
    Ok(())
}

async fn activate(link: &mut Link, id: &str) -> anyhow::Result<()> {
    let answer = link.post(&format!("/v1/plugins/{id}/activate"), &Value::Null).await?;
    say(&format!("{} serves", shown(&answer["generation"])))
}

async fn list(link: &mut Link) -> anyhow::Result<()> {
    let answer = link.get("/v1/plugins").await?;
    say_each("plugins", &answer["generations"], |generation| {
        format!("{}  {}", shown(generation), text(&generation["stage"]))
    })
}

/// The id of a generation given as id or `point/number`.
async fn find(link: &mut Link, given: &str) -> anyhow::Result<String> {
    let Some((point, number)) = given.split_once('/') else {
        if given.parse::<u64>().is_err() {
            bail!("`{given}`: neither an id nor a point and number as routing/3");
        }
        return Ok(given.to_owned());
    };
    let answer = link.get("/v1/plugins").await?;
    let all = answer["generations"].as_array().context("the server named no generations")?;
    let number: u32 = number.parse().with_context(|| format!("`{given}`: not a number"))?;
    let found = all.iter().find(|g| g["point"] == *point && g["number"] == number);
    match found {
        Some(generation) => Ok(text(&generation["id"]).to_owned()),
        None => bail!("there is no generation `{given}`; `kefu plugin list` shows all"),
    }
}

fn shown(generation: &Value) -> String {
    format!(
        "{}/{} {} {} ({})",
        text(&generation["point"]),
        generation["number"],
        text(&generation["name"]),
        text(&generation["plugin_version"]),
        text(&generation["id"]),
    )
}

/// Percent-encoding for a query value.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
