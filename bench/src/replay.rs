//! `replay`: real dialogues as visitors and agents over the real protocol, half by WebSocket and half by long-poll;
//! with `--kill` the server is killed by signal 9 in the middle and started again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kefu_tests::checker;
use kefu_tests::dialogues;
use kefu_tests::server::{Server, Setup};
use kefu_tests::talk::{self, Desk, Progress};

use crate::figures::{Figures, say};

/// Agents at work.
const AGENTS: u16 = 8;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of dialogues (../shared/data/README.md); none: those found beside the repository.
    files: Vec<PathBuf>,
    /// Kill the server with signal 9 in the middle and start it again.
    #[arg(long)]
    kill: bool,
    /// Dialogues at the same time.
    #[arg(long, default_value_t = 200)]
    at_once: usize,
    /// Only the first so many.
    #[arg(long)]
    first: Option<usize>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for file in &args.files {
        all.extend(dialogues::load(file)?);
    }
    if args.files.is_empty() {
        all = dialogues::usual()?;
    }
    all.truncate(args.first.unwrap_or(usize::MAX));
    let turns: usize = all.iter().map(|dialogue| dialogue.turns.len()).sum();
    let count = all.len();
    let setup = Setup { agents: AGENTS, capacity: 100, ..Setup::default() }.unlimited();
    let mut server = Server::start(setup).await?;
    let desk = Desk::open(&server, AGENTS).await?;
    let mut figures = Figures::begin("replay");
    let begun = Instant::now();
    let progress = Arc::new(Progress::default());
    let replay = talk::replay(server.address, desk, all, args.at_once, Arc::clone(&progress));
    let replay = kefu::runtime::spawn(replay);
    let mut killed = 0_u32;
    while !replay.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if args.kill && killed == 0 && progress.messages.load(Ordering::Relaxed) >= turns / 2 {
            killed = 1;
            say("kill -9");
            server.kill();
            server.starts().await?;
        }
    }
    let replayed = replay.await??;
    figures.until_here();
    let seconds = begun.elapsed().as_secs_f64();
    let stream = checker::read_stream(&server.data_dir())?;
    let findings = checker::check(&replayed.logs, &stream);
    for words in replayed.failed.iter().take(10).chain(&findings.words) {
        say(words);
    }
    figures.add("dialogues", replayed.dialogues);
    figures.add("failed", replayed.failed.len());
    figures.add("turns", turns);
    figures.add("acked", replayed.messages);
    figures.add("blocked", replayed.blocked);
    figures.add("events_heard", findings.heard);
    figures.add("kills", killed);
    figures.add("seconds", (seconds * 10.0).round() / 10.0);
    figures.add("lost", findings.lost);
    figures.add("doubled", findings.doubled);
    figures.add("reordered", findings.reordered);
    figures.add("differing", findings.differing);
    if replayed.dialogues < count || (args.kill && killed == 0) {
        figures.void("not everything was driven");
    }
    let clean = findings.clean() && replayed.failed.is_empty();
    figures.print()?;
    anyhow::ensure!(clean, "the checker found something");
    Ok(())
}
