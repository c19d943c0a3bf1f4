//! `kefu plugin …`: generations of the server here; what authors do is `project` and `author`, whom to trust is `keys`.

mod author;
mod keys;
mod project;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::link::Link;
use super::team::text;
use super::{say, say_each};
use crate::config::Config;
use crate::plugins::package::{LARGEST, Package};

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Check a package and keep it as a new generation of its point.
    Install(Install),
    /// List generations.
    List,
    /// Let a generation serve.
    Activate {
        /// Its id, or its point and number as routing/3.
        generation: String,
    },
    /// Keep the code of a generation with another config, as a new generation.
    Configure {
        /// Its id, or its point and number as routing/3.
        generation: String,
        /// A file with the config (JSON).
        plugin_config: PathBuf,
        /// Let it serve at once.
        #[arg(long)]
        activate: bool,
    },
    /// Let the generation before the active one serve again.
    Rollback {
        /// Which point.
        #[arg(value_parser = ["routing", "filter", "inspection"])]
        point: String,
    },
    /// Forget a generation that does not serve.
    Remove {
        /// Its id, or its point and number as routing/3.
        generation: String,
    },
    /// Keep a plugin that comes with the program once more, as a new generation.
    Restore {
        /// Its name, as round-robin.
        name: String,
    },
    /// Make a folder with a plugin that works, to begin from.
    New(project::New),
    /// Build the plugin in a folder (Rust) to component.wasm there.
    Build(project::Folder),
    /// Run a plugin's own tests (Rust) and all cases, as a server asks them. Asks no server.
    Test(project::Test),
    /// Make a package of a folder: plugin.toml, config.schema.json, LICENSE, README.md, cases/*.json.
    Pack(author::Pack),
    /// Sign a package, in place.
    Sign(author::Sign),
    /// Check that a package is whole and signed. Asks no server.
    Verify(author::Verify),
    /// Show what is in a package: what it imports, which data it asks for, who signed it, whether it may serve here.
    Inspect {
        /// The package (.kplug).
        file: PathBuf,
    },
    /// Make keys, and say whose keys are trusted here.
    #[command(subcommand)]
    Key(keys::Key),
    /// Make, load and list revocations: keys and packages that a publisher takes back.
    #[command(subcommand)]
    Revocations(keys::Revoke),
}

/// A package to install.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// The package (.kplug), or, with plugins.require = "none", a bare component (.wasm).
    file: PathBuf,
    /// Name of a bare component [default: the file's name].
    #[arg(long)]
    name: Option<String>,
    /// Version of a bare component [default: 0.1.0].
    #[arg(long)]
    version: Option<String>,
    /// A file with its config (JSON).
    #[arg(long, value_name = "FILE")]
    plugin_config: Option<PathBuf>,
    /// Let it serve at once.
    #[arg(long)]
    activate: bool,
}

pub(super) async fn run(command: Plugin, config: Config) -> anyhow::Result<()> {
    match command {
        Plugin::Install(new) => {
            at(Link::open(config).await?, async |link| install(link, new).await).await
        }
        Plugin::List => at(Link::open_existing(config).await?, list).await,
        Plugin::Activate { generation } => {
            let ask = async |link: &mut Link| {
                let id = find(link, &generation).await?;
                activate(link, &id).await
            };
            at(Link::open_existing(config).await?, ask).await
        }
        Plugin::Configure { generation, plugin_config, activate } => {
            let ask = async |link: &mut Link| {
                let id = find(link, &generation).await?;
                configure(link, &id, &plugin_config, activate).await
            };
            at(Link::open_existing(config).await?, ask).await
        }
        Plugin::Rollback { point } => {
            let ask = async |link: &mut Link| roll_back(link, &point).await;
            at(Link::open_existing(config).await?, ask).await
        }
        Plugin::Remove { generation } => {
            let ask = async |link: &mut Link| remove(link, &generation).await;
            at(Link::open_existing(config).await?, ask).await
        }
        Plugin::Restore { name } => {
            let ask = async |link: &mut Link| restore(link, &name).await;
            at(Link::open_existing(config).await?, ask).await
        }
        Plugin::New(new) => project::new(&new),
        Plugin::Build(folder) => project::build(&folder),
        Plugin::Test(test) => project::test(&test),
        Plugin::Pack(pack) => author::pack(&pack),
        Plugin::Sign(sign) => author::sign(&sign),
        Plugin::Verify(verify) => author::verify(&verify),
        Plugin::Inspect { file } => author::inspect(&file, config).await,
        Plugin::Key(key) => keys::run(key, config).await,
        Plugin::Revocations(revoke) => keys::revocations(revoke, config).await,
    }
}

/// Asks the server here and lets go of it, however it went.
async fn at(
    mut link: Link,
    ask: impl AsyncFnOnce(&mut Link) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let done = ask(&mut link).await;
    link.close().await;
    done
}

async fn install(link: &mut Link, new: Install) -> anyhow::Result<()> {
    let bytes = read(&new.file)?;
    let config = match &new.plugin_config {
        Some(file) => written(file)?,
        None => "{}".to_owned(),
    };
    let mut query = format!("config={}", escaped(&config));
    if Package::is_meant(&bytes) {
        if new.name.is_some() || new.version.is_some() {
            bail!("{} is a package and has a name and a version", new.file.display());
        }
    } else {
        let stem = new.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = new.name.or(stem).unwrap_or_default();
        let version = new.version.unwrap_or_else(|| "0.1.0".into());
        query = format!("{query}&name={}&version={}", escaped(&name), escaped(&version));
    }
    let answer = link.post_bytes(&format!("/v1/plugins?{query}"), bytes).await;
    let answer = answer.with_context(|| format!("{} is not installed", new.file.display()))?;
    admitted(link, &answer, new.activate).await
}

async fn activate(link: &mut Link, id: &str) -> anyhow::Result<()> {
    let answer = link.post(&format!("/v1/plugins/{id}/activate"), &Value::Null).await?;
    say(&format!("{} serves", shown(&answer["generation"])))
}

async fn configure(link: &mut Link, id: &str, file: &Path, serve: bool) -> anyhow::Result<()> {
    let config = written(file)?;
    let config: Value =
        serde_json::from_str(&config).with_context(|| format!("{} is not JSON", file.display()))?;
    let body = json!({ "config": config });
    let answer = link.post(&format!("/v1/plugins/{id}/configure"), &body).await;
    let answer = answer.with_context(|| format!("{} is not taken", file.display()))?;
    admitted(link, &answer, serve).await
}

/// Says what was kept, and lets it serve if it shall.
async fn admitted(link: &mut Link, answer: &Value, serve: bool) -> anyhow::Result<()> {
    let generation = &answer["generation"];
    say(&format!("admitted as {}", shown(generation)))?;
    if serve {
        activate(link, text(&generation["id"])).await?;
    }
    Ok(())
}

fn written(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

async fn roll_back(link: &mut Link, point: &str) -> anyhow::Result<()> {
    let answer = link.post(&format!("/v1/plugins/points/{point}/rollback"), &Value::Null).await;
    let answer = answer.with_context(|| format!("{point} is not rolled back"))?;
    say(&format!("{point} is served by {}", shown(&answer["generation"])))
}

async fn remove(link: &mut Link, generation: &str) -> anyhow::Result<()> {
    let id = find(link, generation).await?;
    let answer = link.post(&format!("/v1/plugins/{id}/remove"), &Value::Null).await;
    let answer = answer.with_context(|| format!("{generation} is not removed"))?;
    say(&format!("{} is removed", shown(&answer["generation"])))
}

async fn restore(link: &mut Link, name: &str) -> anyhow::Result<()> {
    let answer = link.post("/v1/plugins/restore", &json!({ "name": name })).await;
    let answer = answer.with_context(|| format!("{name} is not restored"))?;
    admitted(link, &answer, false).await
}

async fn list(link: &mut Link) -> anyhow::Result<()> {
    let answer = link.get("/v1/plugins").await?;
    say_each("plugins", &answer["generations"], |generation| {
        let from = match (&generation["publisher"], text(&generation["origin"])) {
            (Value::String(publisher), _) => format!("of {publisher}"),
            (_, "installed") => "bare".to_owned(),
            (_, origin) => origin.to_owned(),
        };
        format!("{}  {from}  {}", shown(generation), text(&generation["stage"]))
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

/// A file that may be a package, and no more of it than one may have.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let unread = || format!("{} cannot be read", file.display());
    let mut bytes = Vec::new();
    let open = std::fs::File::open(file).with_context(unread)?;
    open.take(LARGEST as u64 + 1).read_to_end(&mut bytes).with_context(unread)?;
    Ok(bytes)
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
