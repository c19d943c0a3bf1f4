//! `kefu config check|print`.

use std::path::Path;

use clap::Subcommand;

use super::say;
use crate::config::Config;

/// What to do with the config.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Name every mistake in the file and the environment.
    Check,
    /// Show every key with the value in force.
    Print,
}

pub(super) fn run(command: &Command, path: Option<&Path>) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    match command {
        Command::Check => say("the config is good"),
        Command::Print => say(Config::print(path)?.trim_end()).map(|()| drop(config)),
    }
}
