//! `cargo xtask …`: every command a person or CI runs, in Rust, so that there is one of each and it works anywhere.

mod check;
mod plugins;
mod run;
mod servers;
mod shell;
mod test;
mod web;

use clap::{Parser, Subcommand};

/// All automation of this repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, lints and documentation, as CI checks them.
    Check,
    /// Build everything and run a demo server with made-up people and conversations.
    Run(run::Run),
    /// Build the shipped plugins into target/plugins/.
    Plugins,
    /// Prepare what the tests need, run all of them, and list what was skipped.
    Test {
        /// Passed on to the test binaries (a name to filter by, `--nocapture` …).
        args: Vec<String>,
    },
    /// The load generator and checker: `cargo xtask bench -- --help`.
    Bench {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Task::Check => check::run(),
        Task::Run(args) => run::run(&args),
        Task::Plugins => {
            let built = plugins::build(&shell::root())?;
            shell::say(&format!("{} components in target/plugins", built.len()));
            Ok(())
        }
        Task::Test { args } => test::run(&args),
        Task::Bench { args } => {
            plugins::build(&shell::root())?;
            shell::cargo(&["run", "--release", "--package", "kefu-bench", "--"], &args)
        }
    }
}
