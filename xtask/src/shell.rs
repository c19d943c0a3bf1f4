//! Running other programs: what is run is shown, and a failure says which program failed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// A line for the person at the terminal.
pub(crate) fn say(line: &str) {
    // A closed terminal is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs cargo at the root.
pub(crate) fn cargo(args: &[&str], more: &[String]) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command.current_dir(root()).args(args).args(more);
    run(&mut command)
}

/// Runs a program and waits for it.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    say(&format!("\u{203a} {shown}"));
    let status = command.status().with_context(|| format!("`{shown}` could not be started"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// An environment variable, if it says yes.
#[expect(clippy::disallowed_methods, reason = "the one place of xtask that looks around itself")]
pub(crate) fn env_is_true(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "true" || value == "1")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
