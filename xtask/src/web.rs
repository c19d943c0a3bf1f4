//! The web pages: `npm ci` when the lock changed, then the build into `web/dist`.

use std::path::Path;
use std::process::Command;

use crate::shell;

/// Builds `web/dist`; `false` when there is no npm to do it with.
pub(crate) fn build(root: &Path) -> anyhow::Result<bool> {
    let web = root.join("web");
    if !web.join("package.json").exists() || kefu_servers::find("npm").is_none() {
        return Ok(false);
    }
    install(&web)?;
    npm(&web, &["run", "build"])?;
    Ok(true)
}

/// Runs the pages' own unit tests, where there are any.
pub(crate) fn test(root: &Path) -> anyhow::Result<()> {
    let web = root.join("web");
    let package: serde_json::Value =
        serde_json::from_slice(&std::fs::read(web.join("package.json"))?)?;
    match package["scripts"]["test"].is_string() {
        true => npm(&web, &["test"]),
        false => Ok(()),
    }
}

/// The browser tests.
pub(crate) fn in_a_browser(root: &Path, browser: &Path, program: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(root.join("web")).args(["run", "e2e"]);
    npm.env("CHROMIUM", browser).env("KEFU_BIN", program);
    npm
}

/// Runs a script of the pages; `false` when there is no npm to do it with.
pub(crate) fn script(root: &Path, name: &str) -> anyhow::Result<bool> {
    let web = root.join("web");
    if !web.join("package.json").exists() || kefu_servers::find("npm").is_none() {
        return Ok(false);
    }
    install(&web)?;
    npm(&web, &["run", "--silent", name])?;
    Ok(true)
}

fn install(web: &Path) -> anyhow::Result<()> {
    let lock = web.join("package-lock.json");
    let installed = web.join("node_modules/.package-lock.json");
    let age = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    match (age(&lock), age(&installed)) {
        (Some(lock), Some(installed)) if installed >= lock => Ok(()),
        (Some(_), _) => npm(web, &["ci", "--no-audit", "--no-fund"]),
        (None, _) => npm(web, &["install", "--no-audit", "--no-fund"]),
    }
}

fn npm(web: &Path, args: &[&str]) -> anyhow::Result<()> {
    shell::run(Command::new("npm").current_dir(web).args(args))
}
