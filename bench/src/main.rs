//! `kefu-bench`: load generator and loss checker. Each command starts its own server on a free port, prints a table,
//! and as its last line one JSON object. It ends with 1 when the run is void, as when anything was lost. See DESIGN §8 for
//! the rules it keeps.

mod ack;
mod cluster;
mod drain;
mod figures;
mod filter;
mod idle;
mod link;
mod policy;
mod ramp;
mod replay;
mod road;
mod swap;
mod timer;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load generator and loss checker.
#[derive(Debug, Parser)]
#[command(name = "kefu-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Dialogues as visitors and agents over both carriers, then the checker.
    Replay(replay::Args),
    /// Memory per idle WebSocket.
    Idle(idle::Args),
    /// Durable send to ack, open loop.
    Ack(ack::Args),
    /// The shop opens: 0 to the whole rate in seconds, on a cold and on a warm process.
    Ramp(ramp::Args),
    /// The whole road: Redis, Kafka, PostgreSQL.
    Road(road::Args),
    /// What PostgreSQL missed while it was away.
    Drain(drain::Args),
    /// Plugin swaps under load.
    Swap(swap::Args),
    /// One policy call with 50 and with 1,000 candidates.
    Policy(policy::Args),
    /// One filter call on 200 bytes.
    Filter(filter::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Replay(args) => replay::run(args).await,
        Command::Idle(args) => idle::run(args).await,
        Command::Ack(args) => ack::run(args).await,
        Command::Ramp(args) => ramp::run(args).await,
        Command::Road(args) => road::run(args).await,
        Command::Drain(args) => drain::run(args).await,
        Command::Swap(args) => swap::run(args).await,
        Command::Policy(args) => policy::run(args).await,
        Command::Filter(args) => filter::run(args).await,
    }
}
