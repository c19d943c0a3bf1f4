//! `cargo xtask check`: formatting, lints, documentation, generated files, and the types of the web pages.

use std::process::Command;

use crate::{generate, shell, web};

pub(crate) fn run() -> anyhow::Result<()> {
    shell::cargo(&["fmt", "--all", "--check"], &[])?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    shell::cargo(&clippy, &[])?;
    let mut doc = Command::new("cargo");
    doc.current_dir(shell::root())
        .args(["doc", "--package", "kefu", "--package", "kefu-plugin-sdk", "--no-deps", "--lib"])
        .env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut doc)?;
    generate::run(true)?;
    if !web::script(&shell::root(), "check")? {
        shell::say("no npm: the types of the web pages are not checked");
    }
    Ok(())
}
