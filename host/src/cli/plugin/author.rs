//! `kefu plugin pack|sign|verify|inspect`: packages as files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::keys::secret;
use super::read;
use crate::cli::link::Link;
use crate::cli::say;
use crate::config::Config;
use crate::plugins::package::{Manifest, Members, Package, scopes};
use crate::plugins::shape::Shape;
use crate::plugins::trust::Trust;
use crate::plugins::{component, suits};

/// A folder to make a package of.
#[derive(Debug, Args)]
pub(in crate::cli) struct Pack {
    /// The plugin's folder.
    folder: PathBuf,
    /// The component, or the core module that cargo built [default: component.wasm in the folder].
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where to write it [default: ID-VERSION.kplug].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A package to sign.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The package (.kplug).
    file: PathBuf,
    /// The secret key, as `kefu plugin key new` made it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// A package to check.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The package (.kplug).
    file: PathBuf,
    /// Who must have signed it (ed25519:…) [default: anyone].
    #[arg(long)]
    key: Option<String>,
}

pub(super) fn pack(pack: &Pack) -> anyhow::Result<()> {
    let component = pack.component.clone().unwrap_or_else(|| pack.folder.join("component.wasm"));
    let package = gathered(&pack.folder, &component)?;
    let Manifest { id, version, .. } = package.manifest();
    let out = pack.out.clone().unwrap_or_else(|| format!("{id}-{version}.kplug").into());
    write(&out, &package)?;
    say(&format!("{}: {id} {version}, not signed yet", out.display()))?;
    say(&format!("digest {}", package.digest()))
}

/// The package that a folder makes with this component.
pub(super) fn gathered(folder: &Path, file: &Path) -> anyhow::Result<Package> {
    let mut members = Members::new();
    for name in ["plugin.toml", "config.schema.json", "LICENSE", "README.md"] {
        members.insert(name.into(), part(&folder.join(name))?);
    }
    let cases = folder.join("cases");
    if cases.is_dir() {
        for entry in fs::read_dir(&cases)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.with_context(|| format!("{} is not UTF-8", path.display()))?;
            members.insert(format!("cases/{name}"), part(&path)?);
        }
    }
    let made = component(part(file)?).map_err(|why| anyhow!("{}: {why}", file.display()))?;
    members.insert("component.wasm".into(), made.to_vec());
    let package = Package::of(members).map_err(anyhow::Error::msg)?;
    package.fits().map_err(anyhow::Error::msg)?;
    Ok(package)
}

pub(super) fn sign(sign: &Sign) -> anyhow::Result<()> {
    let key = secret(&sign.key)?;
    let package = open(&sign.file)?.signed_by(&key).map_err(anyhow::Error::msg)?;
    write(&sign.file, &package)?;
    say(&format!("{} is signed by {}", sign.file.display(), key.public()))
}

pub(super) fn verify(verify: &Verify) -> anyhow::Result<()> {
    let package = open(&verify.file)?;
    let file = verify.file.display();
    let Some(signer) = package.signer().map(ToString::to_string) else {
        bail!("{file}: signature: it is not signed");
    };
    if let Some(wanted) = verify.key.as_ref().filter(|wanted| **wanted != signer) {
        bail!("{file}: signature: it is signed by {signer}, not by {wanted}");
    }
    let Manifest { id, version, publisher, .. } = package.manifest();
    say(&format!("{file}: {id} {version} of {publisher} is whole"))?;
    say(&format!("digest {}", package.digest()))?;
    say(&format!("signed by {signer}"))
}

pub(super) async fn inspect(file: &Path, config: Config) -> anyhow::Result<()> {
    let package = open(file)?;
    for line in described(&package)? {
        say(&line)?;
    }
    say(&match suits(&package) {
        Ok(()) => format!("host       fits kefu {}", env!("CARGO_PKG_VERSION")),
        Err(why) => format!("host       REFUSED {why}"),
    })?;
    say(&match trust(config).await {
        Ok(trust) => match trust.examine(Some(&package)) {
            Ok(()) => {
                format!("here       may serve (plugins.require = \"{}\")", trust.require.word())
            }
            Err(why) => format!("here       REFUSED {why}"),
        },
        Err(why) => format!("here       not known: {why:#}"),
    })
}

/// What the server here, or the data of one, requires and trusts.
async fn trust(config: Config) -> anyhow::Result<Trust> {
    let mut link = Link::open_existing(config).await?;
    let answer = link.get("/v1/plugins/trust").await;
    link.close().await;
    Ok(serde_json::from_value(answer?)?)
}

fn described(package: &Package) -> anyhow::Result<Vec<String>> {
    let Manifest { id, version, publisher, hosts, point, wit, scopes: asked, budgets } =
        package.manifest();
    let shape = Shape::of(&package.component()).map_err(anyhow::Error::msg)?;
    let or_none = |all: Vec<String>| if all.is_empty() { "nothing".into() } else { all.join(", ") };
    let newest = hosts.1.as_ref().map(|newest| format!(" to {newest}")).unwrap_or_default();
    let mut lines = vec![
        format!("plugin     {id} {version} of {publisher}"),
        format!("point      {} {wit}, for kefu {}{newest}", point.word(), hosts.0),
        format!("imports    {}", or_none(shape.imports)),
        format!("exports    {}", or_none(shape.exports)),
    ];
    for (scope, given) in scopes(*point) {
        lines.push(match asked.get(*scope) {
            Some(reason) => format!("data       {scope} ({given}): {}", reason.escape_debug()),
            None => format!("data       {scope} ({given}): not asked for"),
        });
    }
    let budget =
        |asked: Option<u64>| asked.map_or("the server's".into(), |asked| asked.to_string());
    lines.push(format!(
        "budgets    fuel {}, ms {}, MiB {}",
        budget(budgets.fuel),
        budget(budgets.deadline_ms.map(u64::from)),
        budget(budgets.memory_mb.map(u64::from)),
    ));
    for (name, size) in package.contents() {
        lines.push(format!("member     {name} {size}"));
    }
    lines.push(format!("digest     {}", package.digest()));
    lines.push(match package.signer() {
        Some(signer) => format!("signed by  {signer}"),
        None => "signed by  nobody".into(),
    });
    Ok(lines)
}

fn open(file: &Path) -> anyhow::Result<Package> {
    Package::read(&read(file)?).map_err(|why| anyhow!("{}: {why}", file.display()))
}

fn part(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Whole or not at all.
fn write(file: &Path, package: &Package) -> anyhow::Result<()> {
    let bytes = package.bytes().map_err(anyhow::Error::msg)?;
    let beside = file.with_extension("kplug.new");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, file));
    written.with_context(|| format!("{} cannot be written", file.display()))
}
