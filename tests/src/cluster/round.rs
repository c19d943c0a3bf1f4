//! A round: people talk across the nodes for as long as something happens to these, and then the checker looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{AGENTS, Cluster, IN_TIME};
use crate::dialogues::{self, Dialogue};
use crate::talk::{Desk, Progress, Replayed, replay};

/// How long people think before each turn.
const THINKS: Duration = Duration::from_millis(20);

/// People who talk.
pub struct Round {
    replay: JoinHandle<anyhow::Result<Replayed>>,
    progress: Arc<Progress>,
    over: Arc<AtomicBool>,
}

impl Cluster {
    /// Agents and a supervisor sign in, and visitors come, one after the other, until the round is over; for so many of
    /// the real dialogues at least, of all kinds.
    ///
    /// # Errors
    /// When someone cannot sign in.
    pub async fn people_talk(&self, least: usize) -> anyhow::Result<Round> {
        let desk = Desk::at(self.agents.address, AGENTS).await?;
        let desk = desk.watched(self.supervisors.address).await?.thinking(THINKS);
        let dialogues = some(least)?;
        let at_once = (least / 4).clamp(12, 40);
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let dialogues = dialogues.into_iter().cycle().enumerate();
        let dialogues = dialogues
            .take_while(move |(number, _)| *number < least || !told.load(Ordering::Relaxed))
            .map(|(_, dialogue)| dialogue);
        let progress = Arc::new(Progress::default());
        let replay = replay(self.visitors.address, desk, dialogues, at_once, progress.clone());
        Ok(Round { replay: kefu::runtime::spawn(replay), progress, over })
    }
}

impl Round {
    /// Waits until so many more messages are acked.
    ///
    /// # Errors
    /// When they never are.
    pub async fn goes_on(&self, messages: usize) -> anyhow::Result<()> {
        let acked = || self.progress.messages.load(Ordering::Relaxed);
        let (wanted, deadline) = (acked() + messages, Instant::now() + IN_TIME);
        while acked() < wanted {
            let in_time = Instant::now() < deadline && !self.replay.is_finished();
            ensure!(in_time, "{} messages acked, and no more", acked());
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Nobody new comes; those who talk end their dialogues.
    ///
    /// # Errors
    /// As [`replay`].
    pub async fn ends(self) -> anyhow::Result<Replayed> {
        self.over.store(true, Ordering::Relaxed);
        self.replay.await?
    }
}

/// So many dialogues, or all there are.
fn some(many: usize) -> anyhow::Result<Vec<Dialogue>> {
    let all = dialogues::usual()?;
    let step = (all.len() / many).max(1);
    Ok(all.into_iter().step_by(step).take(many).collect())
}
