//! The command line. `serve` runs the server; every other command that touches data is a request to the same HTTP API,
//! sent to the running server through its control socket, or, when none runs, to one assembled in this process.

mod agent;
mod config;
mod doctor;
mod explain;
mod journal;
mod link;
mod migrate;
mod plugin;
mod reference;
mod serve;
mod site;
mod team;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::config::Config;

/// kefu, a self-hosted customer-service server.
///
/// Every command works on the running server, or, when none runs, on its data. Settings come from the config file;
/// a variable KEFU__SECTION__KEY overrides a key (KEFU__SERVER__LISTEN=0.0.0.0:8030).
#[derive(Debug, Parser)]
#[command(name = "kefu", version)]
struct Cli {
    /// The config file [default: kefu.toml or config/kefu.toml, if there is one].
    #[arg(long, short, global = true, value_name = "FILE", env = "KEFU_CONFIG")]
    config: Option<PathBuf>,
    /// Where the data is [default: server.data_dir of the config].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C.
    Serve(serve::Serve),
    /// Bring the databases to this version's form (serve does it too), or copy them into PostgreSQL.
    Migrate(migrate::Migrate),
    /// Add and list accounts, set passwords.
    #[command(subcommand)]
    Agent(agent::Agent),
    /// Add and list teams: who answers for whom.
    #[command(subcommand)]
    Team(team::Team),
    /// Add and list sites: the widgets embedded in web pages.
    #[command(subcommand)]
    Site(site::Site),
    /// Package, sign, trust, install, activate and roll back plugins.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Say why a conversation was given to whom it was given.
    Explain(explain::Explain),
    /// Write events to the journal's topic again.
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Check the config, or show what is in force.
    #[command(subcommand)]
    Config(config::Command),
    /// Check this installation and say what is wrong.
    Doctor,
    /// What `cargo xtask generate` writes to docs/.
    #[command(subcommand, hide = true)]
    Reference(reference::Reference),
}

/// Reads the arguments and does what they say.
///
/// # Errors
/// Whatever went wrong, in words for the person at the terminal.
pub async fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let path = cli.config.as_deref();
    match &cli.command {
        Command::Config(command) => return config::run(command, path),
        Command::Reference(what) => return reference::run(what),
        _ => {}
    }
    let mut config = Config::load(path)?;
    if let Some(data_dir) = cli.data_dir {
        config.server.data_dir = data_dir;
    }
    match cli.command {
        Command::Serve(serve) => serve::run(serve, config).await,
        Command::Migrate(migrate) => migrate::run(migrate, config).await,
        Command::Agent(command) => agent::run(command, config).await,
        Command::Team(command) => team::run(command, config).await,
        Command::Site(command) => site::run(command, config, &Config::place(path)?).await,
        // The largest by far: each of its commands holds a connection of its own.
        Command::Plugin(command) => Box::pin(plugin::run(command, config)).await,
        Command::Explain(what) => explain::run(what, config).await,
        Command::Journal(command) => journal::run(command, config).await,
        Command::Doctor => doctor::run(config).await,
        Command::Config(_) | Command::Reference(_) => Ok(()),
    }
}

/// A line for each of what the server listed, or that there are none.
fn say_each(what: &str, all: &Value, line: impl Fn(&Value) -> String) -> anyhow::Result<()> {
    let all = all.as_array().with_context(|| format!("the server named no {what}"))?;
    if all.is_empty() {
        return say(&format!("no {what} yet"));
    }
    all.iter().try_for_each(|one| say(&line(one)))
}

/// A line on stdout.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
