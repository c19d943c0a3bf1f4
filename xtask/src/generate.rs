//! `cargo xtask generate`: the files that are made from the code and checked in. With `--check` it writes nothing and
//! names those that are stale.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::{shell, web};

/// What `kefu reference` makes, and where it goes.
const MADE: [(&str, &str); 2] = [("openapi", "docs/openapi.json"), ("metrics", "docs/METRICS.md")];

pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = shell::root();
    let mut stale = Vec::new();
    for (what, path) in MADE {
        let text = reference(what)?;
        let file = root.join(path);
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        stale.push(path);
        if !check {
            std::fs::write(&file, text).with_context(|| format!("cannot write {path}"))?;
            shell::say(&format!("wrote {path}"));
        }
    }
    if check && !stale.is_empty() {
        bail!("stale: {}; `cargo xtask generate` writes them anew", stale.join(", "));
    }
    types(&root, check)
}

/// The types of the console, made from docs/openapi.json.
fn types(root: &Path, check: bool) -> anyhow::Result<()> {
    match web::script(root, if check { "check:types" } else { "generate:types" })? {
        true => Ok(()),
        false => {
            shell::say("no npm: web/console/lib/api-types.ts is left as it is");
            Ok(())
        }
    }
}

fn reference(what: &str) -> anyhow::Result<String> {
    let mut kefu = Command::new("cargo");
    kefu.current_dir(shell::root())
        .args(["run", "--quiet", "--package", "kefu", "--", "reference", what])
        .stderr(Stdio::inherit());
    let output = kefu.output().context("cargo could not be started")?;
    if !output.status.success() {
        bail!("`kefu reference {what}` failed ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}
