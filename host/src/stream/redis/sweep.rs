//! The sweeper: conversations at rest leave Redis when SQL has them whole. One node at a time does it for a partition.
//!
//! It looks at nothing while this process is young: changes that a crash left untold are appended at start with keys
//! that SQL does not keep (the system's), and must find the hash they were first appended to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use super::unread;
use crate::domain::ids::{ConversationId, Millis};
use crate::stream::ReadError;

/// Conversations looked at together.
const PAGE: usize = 100;
/// Longest time between two rounds.
const ROUND: Duration = Duration::from_secs(60);

/// Runs until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let round = ROUND.min(shared.config.idle);
    // Its own name, so that another node's lease is not renewed by this one.
    let owner = format!("{:032x}", u128::from_le_bytes(crate::runtime::random_bytes()));
    loop {
        sleep(round).await;
        for partition in 0..shared.config.partitions {
            let taken = shared.take(partition, "sweep", &owner, round * 3).await;
            let swept = match taken {
                Ok(Some(_)) => sweep(&shared, usize::from(partition)).await,
                Ok(None) => Ok(()),
                Err(why) => Err(why),
            };
            if let Err(why) = swept {
                tracing::debug!(partition, %why, "conversations at rest stay in Redis for now");
            }
        }
    }
}

/// One partition, the longest at rest first.
async fn sweep(shared: &Shared, partition: usize) -> Result<(), ReadError> {
    let idle = Millis::try_from(shared.config.idle.as_millis()).unwrap_or(Millis::MAX);
    let until = shared.clock.now().saturating_sub(idle);
    let mut kept = 0;
    loop {
        let mut command = redis::cmd("ZRANGE");
        command.arg(&shared.keys[partition].idle).arg("-inf").arg(until).arg("BYSCORE");
        command.arg("LIMIT").arg(kept).arg(PAGE).arg("WITHSCORES");
        let page: Vec<(String, String)> = shared.link.run(&command).await.map_err(unread)?;
        for (conversation, score) in &page {
            if !forget(shared, partition, conversation, score).await? {
                kept += 1;
            }
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

/// Whether it was forgotten: SQL has it whole, and nothing happened in it meanwhile.
async fn forget(
    shared: &Shared,
    partition: usize,
    conversation: &str,
    score: &str,
) -> Result<bool, ReadError> {
    let keys = &shared.keys[partition];
    let id: ConversationId = conversation
        .parse()
        .map_err(|_| ReadError(format!("{conversation:?} is not a conversation")))?;
    let names = [keys.hash(id), keys.recent(id), keys.idle.clone()];
    let head = shared.older.head(id).await?.to_string();
    let arguments = [conversation, score, &head];
    let forgotten: u8 =
        shared.programs.forget.run(&shared.link, &names, &arguments).await.map_err(unread)?;
    Ok(forgotten == 1)
}
