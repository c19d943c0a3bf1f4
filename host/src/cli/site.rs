//! `kefu site add|list|secret`.

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::link::Link;
use super::team::{id_of, text};
use super::{say, say_each};
use crate::config::Config;

/// What to do with sites.
#[derive(Debug, Subcommand)]
pub(super) enum Site {
    /// Add a site and show the script tag for its pages.
    Add(Add),
    /// List sites.
    List,
    /// Show the secret with which the site's own server signs its visitors' identities.
    Secret(Secret),
}

/// Whose secret.
#[derive(Debug, Args)]
pub(super) struct Secret {
    /// The site's key.
    key: String,
    /// Make a new one; identities signed with the old one count no longer.
    #[arg(long)]
    rotate: bool,
}

/// A new site.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name in the script tag: 2-40 of a-z 0-9 -.
    key: String,
    /// The name people see [default: the key].
    #[arg(long)]
    name: Option<String>,
    /// The team that answers, by name or id.
    #[arg(long)]
    team: String,
    /// An origin whose pages may show the widget, as https://shop.example; may be repeated.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
}

/// `place` is where the config was read.
pub(super) async fn run(command: Site, config: Config, place: &str) -> anyhow::Result<()> {
    let mut link = match command {
        Site::Add(_) => Link::open(config).await?,
        _ => Link::open_existing(config).await?,
    };
    match command {
        Site::Add(new) => add(&mut link, new, place).await?,
        Site::List => {
            let answer = link.get("/v1/sites").await?;
            say_each("sites", &answer["sites"], |site| {
                let (id, key, name) = (text(&site["id"]), text(&site["key"]), text(&site["name"]));
                let origins = site["origins"].as_array().map(Vec::as_slice).unwrap_or_default();
                let origins = origins.iter().map(text).collect::<Vec<_>>().join(" ");
                format!("{id}  {key}  {name}  {origins}")
            })?;
        }
        Site::Secret(Secret { key, rotate }) => {
            let answer = link.get("/v1/sites").await?;
            let sites = answer["sites"].as_array().map(Vec::as_slice).unwrap_or_default();
            let site = sites.iter().find(|site| site["key"] == *key);
            let site = site.with_context(|| format!("there is no site `{key}`"))?;
            let path = format!("/v1/sites/{}/identity-secret", text(&site["id"]));
            let answer = match rotate {
                true => link.post(&path, &json!({})).await?,
                false => link.get(&path).await?,
            };
            say(text(&answer["secret"]))?;
        }
    }
    link.close().await;
    Ok(())
}

async fn add(link: &mut Link, new: Add, place: &str) -> anyhow::Result<()> {
    let team = id_of(link, &new.team).await?;
    let name = new.name.as_deref().unwrap_or(&new.key);
    let (key, origins) = (&new.key, &new.origins);
    let body = json!({ "key": key, "name": name, "team": team, "origins": origins });
    link.post("/v1/sites", &body).await?;
    let exposure = link.exposure().await?;
    let url = exposure.url();
    say(&format!("site `{key}` added; put this into its pages:"))?;
    say(&format!("  <script src=\"{url}/kefu.js\" data-site=\"{key}\" async></script>"))?;
    if link.is_running() {
        exposure.advice().map_or(Ok(()), |advice| say(&advice))?;
    } else {
        say(&format!(
            "no server runs on this data: {url} is what the config says ({place} and KEFU__…); \
             change it above if the server gets another address"
        ))?;
    }
    Ok(())
}
