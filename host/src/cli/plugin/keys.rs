//! `kefu plugin key …` and `kefu plugin revocations …`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{at, shown};
use crate::cli::link::Link;
use crate::cli::say;
use crate::cli::team::text;
use crate::config::Config;
use crate::plugins::keys::SecretKey;
use crate::plugins::trust::{Revocations, Trust};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Key {
    /// Make a secret key for signing, in a new file, and say its public key.
    New {
        /// The file.
        file: PathBuf,
    },
    /// List trusted keys.
    List,
    /// Trust a key: packages of this publisher that it signed may serve here.
    Trust {
        /// The publisher, as plugin.toml names it.
        publisher: String,
        /// The public key (ed25519:…).
        key: String,
    },
    /// Trust a key no longer; what it signed is taken out at once.
    Distrust {
        /// The public key (ed25519:…).
        key: String,
    },
}

/// What to do with revocations.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Revoke {
    /// Make and sign a list: everything that is revoked, also by earlier lists.
    Make(Make),
    /// Take in a publisher's list; what it revokes is taken out at once.
    Load {
        /// The list.
        file: PathBuf,
    },
    /// List what is revoked.
    List,
}

/// A list to make.
#[derive(Debug, Args)]
pub(in crate::cli) struct Make {
    /// The list.
    file: PathBuf,
    /// Whose keys and packages.
    #[arg(long)]
    publisher: String,
    /// Above that of the list before.
    #[arg(long)]
    serial: u64,
    /// A public key (ed25519:…); may be given again.
    #[arg(long, value_name = "KEY")]
    revoke_key: Vec<String>,
    /// The digest of a package; may be given again.
    #[arg(long, value_name = "DIGEST")]
    revoke_package: Vec<String>,
    /// The secret key that signs.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) async fn run(key: Key, config: Config) -> anyhow::Result<()> {
    match key {
        Key::New { file } => new(&file),
        Key::List => at(Link::open_existing(config).await?, list).await,
        // Also before the first start: whose plugins may come is settled before any does.
        Key::Trust { publisher, key } => {
            let body = json!({ "publisher": publisher, "key": key });
            let ask = async |link: &mut Link| {
                link.post("/v1/plugins/keys", &body).await.context("the key is not trusted")?;
                say(&format!("{key} is trusted for {publisher}"))
            };
            at(Link::open(config).await?, ask).await
        }
        Key::Distrust { key } => {
            let body = json!({ "key": key });
            let ask = async |link: &mut Link| {
                let answer = link.post("/v1/plugins/keys/distrust", &body).await?;
                say(&format!("{key} is trusted no longer"))?;
                taken_out(&answer)
            };
            at(Link::open_existing(config).await?, ask).await
        }
    }
}

pub(super) async fn revocations(revoke: Revoke, config: Config) -> anyhow::Result<()> {
    match revoke {
        Revoke::Make(list) => make(list),
        Revoke::List => at(Link::open_existing(config).await?, revoked).await,
        Revoke::Load { file } => {
            let list =
                fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            let ask = async |link: &mut Link| {
                let answer = link.post_bytes("/v1/plugins/revocations", list).await;
                let answer = answer.with_context(|| format!("{} is not loaded", file.display()))?;
                say(&format!("{} is in force", file.display()))?;
                taken_out(&answer)
            };
            at(Link::open_existing(config).await?, ask).await
        }
    }
}

fn new(file: &Path) -> anyhow::Result<()> {
    let key = SecretKey::fresh();
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = made.and_then(|mut made| {
        made.write_all(key.text().as_bytes())?;
        made.sync_all()
    });
    written.with_context(|| format!("{} cannot be made", file.display()))?;
    say(&format!("{}: keep it secret, keep a copy", file.display()))?;
    say(&key.public().to_string())
}

fn make(make: Make) -> anyhow::Result<()> {
    let key = secret(&make.key)?;
    let list = Revocations {
        publisher: make.publisher,
        serial: make.serial,
        keys: make.revoke_key.into_iter().collect(),
        packages: make.revoke_package.into_iter().collect(),
        signer: key.public().to_string(),
    };
    let text = list.signed_by(&key);
    // What cannot be read again is not written.
    Revocations::read(&text).map_err(anyhow::Error::msg)?;
    let file = &make.file;
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    say(&format!("{}: {list}", file.display()))
}

async fn list(link: &mut Link) -> anyhow::Result<()> {
    let Trust { keys, .. } = trust(link).await?;
    if keys.is_empty() {
        return say("no keys yet");
    }
    keys.iter().try_for_each(|one| say(&format!("{}  {}", one.key, one.publisher)))
}

async fn revoked(link: &mut Link) -> anyhow::Result<()> {
    let Trust { revocations, .. } = trust(link).await?;
    if revocations.is_empty() {
        return say("no revocations yet");
    }
    for list in revocations {
        say(&list.to_string())?;
        let keys = list.keys.iter().map(|key| format!("  key {key}"));
        let packages = list.packages.iter().map(|digest| format!("  package {digest}"));
        keys.chain(packages).try_for_each(|line| say(&line))?;
    }
    Ok(())
}

/// Reads a secret key, unless others may.
pub(super) fn secret(file: &Path) -> anyhow::Result<SecretKey> {
    use std::os::unix::fs::PermissionsExt as _;
    let unread = || format!("{} cannot be read", file.display());
    let mode = fs::metadata(file).with_context(unread)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{}: others may read it; chmod 600", file.display());
    }
    let text = fs::read_to_string(file).with_context(unread)?;
    SecretKey::read(&text).map_err(|why| anyhow!("{}: {why}", file.display()))
}

async fn trust(link: &mut Link) -> anyhow::Result<Trust> {
    Ok(serde_json::from_value(link.get("/v1/plugins/trust").await?)?)
}

fn taken_out(answer: &Value) -> anyhow::Result<()> {
    let all = answer["taken_out"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().try_for_each(|one| {
        let point = text(&one["point"]);
        say(&format!("{} is taken out; `kefu plugin list` shows what serves {point}", shown(one)))
    })
}
