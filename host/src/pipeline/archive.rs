//! The archive: the last stop of the road. Events come in by two ways, wait in one bounded queue, and are written to SQL
//! in batches with the positions they came from, in the same transaction.
//!
//! ```text
//!   journal (Kafka) ──────────────────────────┐ gate per partition   bounded queue    batches
//!   log, where there is no journal, while it  ├─(archive/gate.rs)──▶ (full: both ──▶ 1–1000 rows ──▶ SQL ──▶ closed
//!   is away (mode Spool), or when it skipped ─┘                        ways wait)    or 5 ms
//! ```
//!
//! While Kafka is away it reads the log rather than the spool: the log always reaches back to what SQL has, so neither
//! way has to know where the other stands, and SQL stays current also when the spool is full.
//!
//! Anything may be written twice. Nothing is dropped: while SQL refuses, the same batch is tried again, the queue fills,
//! both ways wait, and the stream and the journal keep what is not written.

mod gate;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Tenure;
use super::closed::Closed;
use super::relay::Mode;
use super::road::Road;
use crate::domain::event::Event;
use crate::journal::{Entry, Reader};
use crate::storage::{Archived, Source};
use crate::stream::{Log, LogPosition};

pub(super) use gate::Gate;

/// Events read from the log at once.
const PAGE: usize = 1000;
/// When to look again though nothing was told.
const TICK: Duration = Duration::from_millis(500);
/// How long to let events gather before the log is looked at again.
const GATHER: Duration = Duration::from_millis(20);
/// Between tries while SQL refuses, growing.
const PAUSES_MS: [u64; 4] = [50, 200, 500, 1000];

/// Bounds of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Events that may wait for SQL; beyond them reading waits.
    pub queue: usize,
    /// Most rows of a batch.
    pub batch: usize,
    /// How long the first row of a batch may wait for others, ms.
    pub wait_ms: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { queue: 8192, batch: 1000, wait_ms: 5 }
    }
}

/// One event on its way.
struct Item {
    road: Arc<Road>,
    position: LogPosition,
    /// The journal's next offset, when it came from there.
    next: Option<i64>,
    event: Arc<Event>,
}

/// One per node, for all its partitions.
pub struct Archive {
    archived: Archived,
    closed: Arc<Closed>,
    limits: ArchiveLimits,
    queue: mpsc::Sender<Item>,
    taken: tokio::sync::Mutex<mpsc::Receiver<Item>>,
    roads: Mutex<HashMap<u16, Arc<Road>>>,
}

impl Archive {
    /// One that has nothing to do yet.
    #[must_use]
    pub fn new(archived: Archived, closed: Arc<Closed>, limits: ArchiveLimits) -> Arc<Self> {
        let (queue, taken) = mpsc::channel(limits.queue.max(1));
        let (taken, roads) = (tokio::sync::Mutex::new(taken), Mutex::default());
        Arc::new(Self { archived, closed, limits, queue, taken, roads })
    }

    /// This node has the partition.
    pub(super) fn take(&self, road: Arc<Road>) {
        self.roads.lock().insert(road.partition, road);
    }

    /// It has it no more; what waits already is written all the same.
    pub(super) fn leave(&self, partition: u16) {
        self.roads.lock().remove(&partition);
    }

    /// Events that wait for SQL.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Reads the log where that is the way, until the tenure ends.
    pub(super) async fn read_log(&self, log: &dyn Log, road: &Arc<Road>, tenure: &Tenure) {
        let mut mode = road.mode.subscribe();
        let mut told = String::new();
        while tenure.holds() {
            let now = *mode.borrow_and_update();
            let (from, astray) = {
                let gate = road.gate.lock().await;
                (gate.queued(), gate.is_astray())
            };
            if now == Some(Mode::Direct) && !astray {
                tokio::select! {
                    _ = mode.changed() => {}
                    () = tenure.wait(TICK) => {}
                }
                continue;
            }
            let read = match log.log(road.partition, from, PAGE).await {
                Ok(read) => read,
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        let partition = road.partition;
                        tracing::warn!(%error, partition, "the log is not read");
                        told = error;
                    }
                    tenure.wait(TICK).await;
                    continue;
                }
            };
            let many = read.len();
            self.offer(road, read).await;
            if many == PAGE {
                continue;
            }
            // The stream wakes one reader per partition: the relay where there is one, which then wakes this.
            tokio::select! {
                () = log.appended(road.partition), if now.is_none() => {}
                () = road.appended.notified(), if now.is_some() => {}
                () = tenure.wait(TICK) => {}
            }
            tenure.wait(GATHER).await;
        }
    }

    async fn offer(&self, road: &Arc<Road>, events: Vec<(LogPosition, Arc<Event>)>) {
        let mut gate = road.gate.lock().await;
        for (position, event) in events {
            if gate.pass(position) {
                let item = Item { road: road.clone(), position, next: None, event };
                let _ended = self.queue.send(item).await;
            }
        }
    }

    /// Reads the journal until it ends.
    pub(super) async fn read_journal(&self, reader: &mut Reader) {
        while let Some(entries) = reader.next().await {
            for entry in entries {
                self.take_entry(entry).await;
            }
        }
    }

    async fn take_entry(&self, entry: Entry) {
        let Some(road) = self.roads.lock().get(&entry.partition).cloned() else { return };
        let mut gate = road.gate.lock().await;
        let was_astray = gate.is_astray();
        if !gate.follows(entry.offset) {
            if !was_astray {
                let (partition, offset) = (entry.partition, entry.offset);
                tracing::warn!(partition, offset, "the journal skipped: the log is read instead");
            }
            return;
        }
        let Some(stamp) = entry.stamp.filter(|stamp| gate.pass(stamp.position)) else { return };
        let (position, next) = (stamp.position, Some(entry.offset + 1));
        let item = Item { road: road.clone(), position, next, event: entry.event };
        let _ended = self.queue.send(item).await;
    }

    /// Writes until shut down.
    pub(super) async fn write(&self, shutdown: &CancellationToken) {
        let mut taken = self.taken.lock().await;
        let mut batch = Vec::new();
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.collect(&mut taken, &mut batch) => {
                    self.write_batch(&batch, shutdown).await;
                    batch.clear();
                }
            }
        }
        // Nobody waits for room any more.
        taken.close();
    }

    /// A batch: full, or as much as came while its first event waited.
    async fn collect(&self, taken: &mut mpsc::Receiver<Item>, batch: &mut Vec<Item>) {
        let most = self.limits.batch.max(1);
        taken.recv_many(batch, most).await;
        let due = Instant::now() + Duration::from_millis(self.limits.wait_ms);
        while batch.len() < most {
            let left = most - batch.len();
            match tokio::time::timeout_at(due, taken.recv_many(batch, left)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Tries until it is written.
    async fn write_batch(&self, batch: &[Item], shutdown: &CancellationToken) {
        let events: Vec<&Event> = batch.iter().map(|item| item.event.as_ref()).collect();
        let positions = positions(batch);
        let mut tries = 0;
        while !shutdown.is_cancelled() {
            match self.archived.write(&events, &positions).await {
                Ok(written) => {
                    if tries > 0 {
                        tracing::info!(tries, "SQL takes events again");
                    }
                    if written.conflicts > 0 {
                        let conflicts = written.conflicts;
                        tracing::error!(
                            conflicts,
                            "events with numbers that others have: kept aside"
                        );
                    }
                    break;
                }
                Err(error) => {
                    if tries == 0 {
                        tracing::warn!(%error, rows = batch.len(), "SQL takes no events");
                    }
                    let pause = Duration::from_millis(PAUSES_MS[tries.min(PAUSES_MS.len() - 1)]);
                    tokio::time::timeout(pause, shutdown.cancelled()).await.ok();
                    tries += 1;
                }
            }
        }
        if shutdown.is_cancelled() {
            return;
        }
        for Item { road, position, .. } in batch {
            road.note(|facts| facts.committed = facts.committed.max(*position));
        }
        self.closed.tell(events.into_iter());
    }
}

/// How far each way has come with a batch.
fn positions(batch: &[Item]) -> Vec<(u16, Source, String)> {
    let mut last = BTreeMap::new();
    for Item { road, position, next, .. } in batch {
        last.insert((road.partition, Source::Log), position.to_string());
        if let Some(next) = next {
            last.insert((road.partition, Source::Journal), next.to_string());
        }
    }
    last.into_iter().map(|((partition, source), at)| (partition, source, at)).collect()
}
