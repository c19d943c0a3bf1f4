//! What comes in: a package, or a component without one, taken apart and held against the rules that need no engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;

use super::keys::sha256;
use super::package::{Manifest, Package};
use super::trust::Trust;
use super::{Install, PluginsConfig, Refused};
use crate::domain::ids::{GenerationId, Millis};
use crate::domain::plugin::Point;
use crate::storage::{Generation, Origin, Stage};

const LARGEST_CONFIG: usize = 256 << 10;
const LONGEST_NAME: usize = 64;
/// How a core module begins, as opposed to a component.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Components that may serve without a package, by their digest: what came with the program, or was here before trust was
/// asked for. With another config they are the same code.
pub(super) type Vouched = BTreeMap<String, Origin>;

/// What was taken in.
pub(super) struct Taken {
    pub(super) row: Generation,
    pub(super) component: Arc<[u8]>,
    pub(super) package: Option<Package>,
}

/// Takes one in: the row is complete but for its number, and for a component without a package, its point.
///
/// # Errors
/// Which rule it breaks.
pub(super) fn take(
    install: Install,
    trust: &Trust,
    vouched: &Vouched,
    (id, now): (GenerationId, Millis),
) -> Result<Taken, Refused> {
    let package = match Package::is_meant(&install.bytes) {
        true => Some(Package::read(&install.bytes).map_err(Refused::Rejected)?),
        false => None,
    };
    let origin = match (&package, install.origin) {
        (None, Origin::Installed) => vouched.get(&sha256(&install.bytes)).copied(),
        (_, origin) => Some(origin),
    };
    let origin = origin.unwrap_or(Origin::Installed);
    if origin == Origin::Installed {
        // What is nothing at all is better told so than that it is not signed.
        let nothing = package.is_none() && !install.bytes.starts_with(b"\0asm");
        if !nothing {
            trust.examine(package.as_ref()).map_err(Refused::Rejected)?;
        }
    }
    check_config(&install.config)?;
    let (name, version) = match &package {
        Some(package) => (package.manifest().id.clone(), package.manifest().version.to_string()),
        None => install.named,
    };
    check_names(&name, &version)?;
    let component = match &package {
        Some(package) => package.component(),
        None => wrapped(install.bytes).map_err(Refused::Rejected)?,
    };
    let row = Generation {
        id,
        number: 0,
        point: package.as_ref().map_or(Point::Routing, |package| package.manifest().point),
        name,
        plugin_version: version,
        origin,
        publisher: package.as_ref().map(|package| package.manifest().publisher.clone()),
        package: package.as_ref().map(|package| package.digest().to_owned()),
        signer: package.as_ref().and_then(Package::signer).map(ToString::to_string),
        digest: sha256(&component),
        config: install.config,
        fuel: 0,
        deadline_ms: 0,
        memory_mb: 0,
        stage: Stage::Admitted,
        created_at: now,
        activated_at: None,
        created_by: install.created_by,
        fault: None,
    };
    Ok(Taken { row, component, package })
}

/// A package by itself: this host is one it runs on.
///
/// # Errors
/// Which rule it breaks.
pub fn suits(package: &Package) -> Result<(), String> {
    let host = Version::parse(env!("CARGO_PKG_VERSION")).map_err(|why| why.to_string())?;
    package.suits(&host)
}

/// Fills in the budgets of a generation that has none yet: what its manifest asks, up to the operator's.
///
/// # Errors
/// When it asks for more.
pub(super) fn budget(
    row: &mut Generation,
    manifest: Option<&Manifest>,
    config: &PluginsConfig,
) -> Result<(), String> {
    let asked = manifest.map(|manifest| manifest.budgets).unwrap_or_default();
    let (fuel, deadline_ms) = config.budgets.of(row.point);
    let word = row.point.word();
    if row.fuel == 0 {
        row.fuel = within("fuel", asked.fuel, (fuel, &format!("{word}_fuel")))?;
        let setting = format!("{word}_deadline, in ms,");
        row.deadline_ms = within("deadline_ms", asked.deadline_ms, (deadline_ms, &setting))?;
    }
    if row.memory_mb == 0 {
        let most = (config.instance_memory_mb, "instance_memory_mb");
        row.memory_mb = within("memory_mb", asked.memory_mb, most)?;
    }
    Ok(())
}

fn within<N: PartialOrd + Default + std::fmt::Display + Copy>(
    key: &str,
    asked: Option<N>,
    (most, setting): (N, &str),
) -> Result<N, String> {
    let asked = asked.unwrap_or(most);
    if asked > most || asked == N::default() {
        return Err(format!("budgets.{key}: {asked}, and plugins.{setting} is {most}"));
    }
    Ok(asked)
}

/// What cargo builds for `wasm32-unknown-unknown` is a core module that says which point it serves: it is made a
/// component here, so that an author needs no further tool.
///
/// # Errors
/// Why it cannot be made one.
pub fn wrapped(bytes: Vec<u8>) -> Result<Arc<[u8]>, String> {
    if !bytes.starts_with(CORE_MODULE) {
        return Ok(bytes.into());
    }
    let made = wit_component::ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode());
    // The chain of causes, one after the other.
    made.map(Into::into)
        .map_err(|why| format!("it is a core module that cannot be made a component: {why:#}"))
}

fn check_names(name: &str, version: &str) -> Result<(), Refused> {
    for (what, text) in [("name", name), ("version", version)] {
        if text.is_empty() || text.len() > LONGEST_NAME {
            return Err(Refused::Rejected(format!("{what}: 1 to {LONGEST_NAME} bytes")));
        }
    }
    Ok(())
}

fn check_config(config: &str) -> Result<(), Refused> {
    let refuse = |why: String| Err(Refused::Rejected(why));
    if config.len() > LARGEST_CONFIG {
        return refuse(format!("a config may have {LARGEST_CONFIG} bytes"));
    }
    match serde_json::from_str::<serde_json::Value>(config) {
        Ok(value) if value.is_object() => Ok(()),
        Ok(_) => refuse("config: must be a JSON object".into()),
        Err(error) => refuse(format!("config: not JSON: {error}")),
    }
}
