//! `kefu agent add|list|passwd`.

use std::io::Read;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::link::Link;
use super::team::{id_of, text};
use super::{say, say_each};
use crate::config::Config;

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Agent {
    /// Add an account; without --password-stdin a password is made up and shown once.
    Add(Add),
    /// List accounts.
    List,
    /// Set a new password; all sessions of the account end.
    Passwd {
        /// The sign-in name.
        login: String,
        /// Read the password from standard input instead of making one up.
        #[arg(long)]
        password_stdin: bool,
    },
}

/// A new account.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The sign-in name.
    login: String,
    /// The name visitors see [default: the sign-in name].
    #[arg(long)]
    name: Option<String>,
    /// agent, supervisor or admin.
    #[arg(long, default_value = "agent", value_parser = ["agent", "supervisor", "admin"])]
    role: String,
    /// A team to answer for, by name or id; may be repeated.
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// A skill with its level from 1 to 5, as billing:4 (without one: 3); may be repeated.
    #[arg(long = "skill", value_name = "SKILL:LEVEL")]
    skills: Vec<String>,
    /// Most conversations at once.
    #[arg(long, default_value_t = 5)]
    capacity: u16,
    /// Read the password from standard input instead of making one up.
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn run(command: Agent, config: Config) -> anyhow::Result<()> {
    let mut link = match command {
        Agent::Add(_) => Link::open(config).await?,
        _ => Link::open_existing(config).await?,
    };
    match command {
        Agent::Add(new) => add(&mut link, new).await?,
        Agent::List => list(&mut link).await?,
        Agent::Passwd { login, password_stdin } => {
            passwd(&mut link, &login, password_stdin).await?;
        }
    }
    link.close().await;
    Ok(())
}

async fn add(link: &mut Link, new: Add) -> anyhow::Result<()> {
    let mut teams = Vec::new();
    for team in &new.teams {
        teams.push(id_of(link, team).await?);
    }
    let skills =
        new.skills.iter().map(|skill| self::skill(skill)).collect::<Result<Vec<_>, _>>()?;
    let mut body = json!({
        "login": new.login,
        "name": new.name.as_deref().unwrap_or(&new.login),
        "role": new.role,
        "teams": teams,
        "skills": skills,
        "capacity": new.capacity,
    });
    if new.password_stdin {
        body["password"] = typed()?.into();
    }
    let answer = link.post("/v1/agents", &body).await?;
    say(&format!("account `{}` added, id {}", new.login, text(&answer["agent"]["id"])))?;
    show_password(&answer)
}

async fn list(link: &mut Link) -> anyhow::Result<()> {
    let answer = link.get("/v1/agents").await?;
    say_each("accounts", &answer["agents"], |agent| {
        format!(
            "{}  {}  {}  {}  {}/{}{}",
            text(&agent["id"]),
            text(&agent["login"]),
            text(&agent["role"]),
            text(&agent["status"]),
            agent["active"],
            agent["capacity"],
            if agent["enabled"] == true { "" } else { "  disabled" },
        )
    })
}

async fn passwd(link: &mut Link, login: &str, stdin: bool) -> anyhow::Result<()> {
    let answer = link.get("/v1/agents").await?;
    let agents = answer["agents"].as_array().context("the server named no accounts")?;
    let Some(agent) = agents.iter().find(|agent| agent["login"] == *login) else {
        bail!("there is no account `{login}`; `kefu agent list` shows all");
    };
    let body = if stdin { json!({ "password": typed()? }) } else { json!({}) };
    let path = format!("/v1/agents/{}/password", text(&agent["id"]));
    let answer = link.post(&path, &body).await?;
    say(&format!("`{login}` has a new password"))?;
    show_password(&answer)
}

fn show_password(answer: &Value) -> anyhow::Result<()> {
    match answer["password"].as_str() {
        Some(password) => say(&format!("password: {password}")),
        None => Ok(()),
    }
}

fn skill(given: &str) -> anyhow::Result<Value> {
    let (name, level) = given.split_once(':').unwrap_or((given, "3"));
    let level: u8 = level.parse().with_context(|| format!("`{given}`: the level is 1 to 5"))?;
    Ok(json!({ "name": name, "level": level }))
}

fn typed() -> anyhow::Result<String> {
    let mut password = String::new();
    std::io::stdin().take(4096).read_to_string(&mut password)?;
    Ok(password.trim_end_matches(['\n', '\r']).to_owned())
}
