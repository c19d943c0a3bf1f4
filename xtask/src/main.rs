//! `cargo xtask …`: every command a person or CI runs, in Rust, so that there is one of each and it works anywhere.

mod check;
mod generate;
mod plugins;
mod run;
mod servers;
mod shell;
mod test;
mod web;

use std::process::Command;

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
    /// Formatting, lints, documentation, generated files and the pages' types, as CI checks them.
    Check,
    /// Write the files that are made from the code: docs/openapi.json, docs/METRICS.md, web/console/lib/api-types.ts.
    Generate {
        /// Write nothing; fail when one is stale.
        #[arg(long)]
        check: bool,
    },
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
        Task::Generate { check } => generate::run(check),
        Task::Run(args) => run::run(&args),
        Task::Plugins => {
            let built = plugins::build(&shell::root())?;
            shell::say(&format!("{} components in target/plugins", built.len()));
            Ok(())
        }
        Task::Test { args } => test::run(&args),
        Task::Bench { args } => bench(&args),
    }
}

/// Server and load generator are built together: apart, cargo would build what they share twice.
fn bench(args: &[String]) -> anyhow::Result<()> {
    let root = shell::root();
    plugins::build(&root)?;
    shell::cargo(&["build", "--release", "--package", "kefu", "--package", "kefu-bench"], &[])?;
    let programs = root.join("target/release");
    let mut bench = Command::new(programs.join("kefu-bench"));
    shell::run(bench.args(args).env("KEFU_PROGRAM", programs.join("kefu")))
}
