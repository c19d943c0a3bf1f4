//! `kefu plugin new|build|test`: an author's folder. What `new` writes builds without this repository: the SDK and the WIT
//! go with it, everything else comes from the package registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use serde_json::Value;

use super::author;
use crate::cli::say;
use crate::plugins::{component, package, try_out};

const TARGET: &str = "wasm32-unknown-unknown";

/// A file of the folder `plugin-sdk`, or beside it.
macro_rules! sdk {
    ($file:literal) => {
        include_str!(concat!("../../../../", $file))
    };
}

/// What every project has, with words in capitals to be filled in.
const PROJECT: [(&str, &str); 5] = [
    ("Cargo.toml", sdk!("plugin-sdk/templates/Cargo.toml.txt")),
    ("plugin.toml", sdk!("plugin-sdk/templates/plugin.toml.txt")),
    ("README.md", sdk!("plugin-sdk/templates/README.md.txt")),
    ("LICENSE", sdk!("plugin-sdk/templates/LICENSE.txt")),
    (".gitignore", sdk!("plugin-sdk/templates/gitignore.txt")),
];

/// What every project depends on, as it is.
const SDK: [(&str, &str); 9] = [
    ("kefu/plugin-sdk/Cargo.toml", sdk!("plugin-sdk/templates/sdk.toml.txt")),
    ("kefu/plugin-sdk/src/lib.rs", sdk!("plugin-sdk/src/lib.rs")),
    ("kefu/plugin-sdk/src/bindings.rs", sdk!("plugin-sdk/src/bindings.rs")),
    ("kefu/plugin-sdk/src/text.rs", sdk!("plugin-sdk/src/text.rs")),
    ("kefu/plugin-sdk/src/text/tests.rs", sdk!("plugin-sdk/src/text/tests.rs")),
    ("kefu/wit/types/types.wit", sdk!("wit/types/types.wit")),
    ("kefu/wit/routing/routing.wit", sdk!("wit/routing/routing.wit")),
    ("kefu/wit/filter/filter.wit", sdk!("wit/filter/filter.wit")),
    ("kefu/wit/inspection/inspection.wit", sdk!("wit/inspection/inspection.wit")),
];

/// What differs by point: its source, schema and case, and the scopes of its `plugin.toml`.
type Files = [&'static str; 4];

const ROUTING: Files = [
    sdk!("plugin-sdk/templates/routing/lib.rs"),
    sdk!("plugin-sdk/templates/routing/config.schema.json"),
    sdk!("plugin-sdk/templates/routing/case.json"),
    sdk!("plugin-sdk/templates/routing/scopes.txt"),
];
const FILTER: Files = [
    sdk!("plugin-sdk/templates/filter/lib.rs"),
    sdk!("plugin-sdk/templates/filter/config.schema.json"),
    sdk!("plugin-sdk/templates/filter/case.json"),
    sdk!("plugin-sdk/templates/filter/scopes.txt"),
];
const INSPECTION: Files = [
    sdk!("plugin-sdk/templates/inspection/lib.rs"),
    sdk!("plugin-sdk/templates/inspection/config.schema.json"),
    sdk!("plugin-sdk/templates/inspection/case.json"),
    sdk!("plugin-sdk/templates/inspection/scopes.txt"),
];

/// A project to make.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// Its folder, which is made; the folder's name is the plugin's: 1 to 64 of a-z, 0-9 and -, a letter first.
    folder: PathBuf,
    /// What it decides.
    #[arg(long, value_parser = ["routing", "filter", "inspection"])]
    point: String,
    /// What it is written in.
    #[arg(long, default_value = "rust", value_parser = ["rust"])]
    language: String,
    /// Whose it is, as its packages will say.
    #[arg(long, default_value = "nobody")]
    publisher: String,
}

/// A folder to build or to test.
#[derive(Debug, Args)]
pub(in crate::cli) struct Folder {
    /// The plugin's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// A project to test: of Rust with its own tests, of anything else what was built to component.wasm.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    at: Folder,
    /// A file with the config (JSON) that the host's own cases are asked with [default: {}].
    #[arg(long, value_name = "FILE")]
    plugin_config: Option<PathBuf>,
}

pub(super) fn new(new: &New) -> anyhow::Result<()> {
    let folder = &new.folder;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    package::name("name", name).map_err(anyhow::Error::msg)?;
    // Cargo's rule.
    ensure!(!name.starts_with(|first: char| !first.is_ascii_lowercase()), "name: a letter first");
    package::name("publisher", &new.publisher).map_err(anyhow::Error::msg)?;
    ensure!(!folder.exists(), "{} is there already", folder.display());
    let [source, schema, case, scopes] = match new.point.as_str() {
        "routing" => ROUTING,
        "filter" => FILTER,
        _ => INSPECTION,
    };
    let filled = |text: &str| {
        text.replace("NAME", name)
            .replace("PUBLISHER", &new.publisher)
            .replace("POINT", &new.point)
            .replace("SCOPES", scopes)
            .replace("HOST", env!("CARGO_PKG_VERSION"))
    };
    for (place, text) in PROJECT {
        put(folder, place, &filled(text))?;
    }
    let own = [("src/lib.rs", source), ("config.schema.json", schema), ("cases/first.json", case)];
    for (place, text) in own.into_iter().chain(SDK) {
        put(folder, place, text)?;
    }
    say(&format!("{}: a {} plugin in {}", folder.display(), new.point, new.language))?;
    say(&format!("next: kefu plugin test {}", folder.display()))
}

fn put(folder: &Path, place: &str, text: &str) -> anyhow::Result<()> {
    let file = folder.join(place);
    let written =
        fs::create_dir_all(file.parent().unwrap_or(folder)).and_then(|()| fs::write(&file, text));
    written.with_context(|| format!("{} cannot be written", file.display()))
}

pub(super) fn build(at: &Folder) -> anyhow::Result<()> {
    let folder = &at.folder;
    let mut cargo = cargo(folder)?;
    cargo.args(["build", "--release", "--target", TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo cannot be run")?;
    ensure!(
        output.status.success(),
        "cargo could not build it; if the target is missing: rustup target add {TARGET}"
    );
    let module = built(&output.stdout).context("cargo built no .wasm: is it a cdylib?")?;
    let bytes =
        fs::read(&module).with_context(|| format!("{} cannot be read", module.display()))?;
    let made = component(bytes).map_err(|why| anyhow!("{}: {why}", module.display()))?;
    let out = folder.join("component.wasm");
    fs::write(&out, &made).with_context(|| format!("{} cannot be written", out.display()))?;
    say(&format!("{}: {} bytes", out.display(), made.len()))
}

/// The last `.wasm` that cargo says it made: those of dependencies come before.
fn built(told: &[u8]) -> Option<PathBuf> {
    let lines = told.split(|byte| *byte == b'\n');
    let artifacts = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut files = artifacts
        .filter(|one| one["reason"] == "compiler-artifact")
        .filter_map(|one| Some(one["filenames"].as_array()?.clone()))
        .flatten()
        .filter_map(|file| Some(PathBuf::from(file.as_str()?)));
    files.rfind(|file| file.extension().is_some_and(|end| end == "wasm"))
}

pub(super) fn test(test: &Test) -> anyhow::Result<()> {
    let folder = &test.at.folder;
    if folder.join("Cargo.toml").is_file() {
        let tested = cargo(folder)?.arg("test").status().context("cargo cannot be run")?;
        ensure!(tested.success(), "its own tests fail");
        build(&test.at)?;
    }
    let config = match &test.plugin_config {
        Some(file) => super::written(file)?,
        None => "{}".to_owned(),
    };
    let package = author::gathered(folder, &folder.join("component.wasm"))?;
    let bytes = package.bytes().map_err(anyhow::Error::msg)?;
    try_out(bytes, config).map_err(anyhow::Error::msg)?;
    let manifest = package.manifest();
    say(&format!("{} {}: all cases are answered as expected", manifest.id, manifest.version))
}

fn cargo(folder: &Path) -> anyhow::Result<Command> {
    if !folder.join("Cargo.toml").is_file() {
        bail!(
            "{} has no Cargo.toml: what is not Rust is built by its own tools, to component.wasm there",
            folder.display()
        );
    }
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder);
    Ok(cargo)
}
