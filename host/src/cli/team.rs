//! `kefu team add|list`.

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::link::Link;
use super::{say, say_each};
use crate::config::Config;

/// What to do with teams.
#[derive(Debug, Subcommand)]
pub(super) enum Team {
    /// Add a team.
    Add {
        /// Its name as people see it.
        name: String,
    },
    /// List teams.
    List,
}

pub(super) async fn run(command: Team, config: Config) -> anyhow::Result<()> {
    let mut link = match command {
        Team::Add { .. } => Link::open(config).await?,
        Team::List => Link::open_existing(config).await?,
    };
    match command {
        Team::Add { name } => {
            let answer = link.post("/v1/teams", &json!({ "name": name })).await?;
            say(&format!("team `{name}` added, id {}", text(&answer["team"]["id"])))?;
        }
        Team::List => {
            let answer = link.get("/v1/teams").await?;
            say_each("teams", &answer["teams"], |team| {
                format!("{}  {}", text(&team["id"]), text(&team["name"]))
            })?;
        }
    }
    link.close().await;
    Ok(())
}

/// The id of a team given by name or id.
pub(super) async fn id_of(link: &mut Link, given: &str) -> anyhow::Result<Value> {
    let answer = link.get("/v1/teams").await?;
    let teams = answer["teams"].as_array().context("the server named no teams")?;
    let found = teams.iter().find(|team| team["name"] == *given || team["id"] == *given);
    match found {
        Some(team) => Ok(team["id"].clone()),
        None => bail!("there is no team `{given}`; `kefu team add {given}` makes it"),
    }
}

/// A JSON text without its quotes.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
