//! The pipeline: what happens to events after the live path. Embedded, the stream is already the archive, so all that is
//! left is [`closed`]. In a cluster each partition of the stream has one owner among the nodes, by lease, and the owner
//! moves its events on: [`relay`] to the journal, [`archive`] to SQL.
//!
//! ```text
//!   free ──lease──▶ taken: positions from SQL, a Road, relay and archive run ──▶ ended: what runs ends, lease given back
//!                     ▲  │ renewed three times per lease                          ▲
//!                     └──┘                                                        └ it ran out, someone has it, shutdown
//! ```
//!
//! A node that has less takes sooner (`pause`), so that nodes that start together share about evenly. Whoever has to
//! stop stops by itself: a `Tenure` ends when its time is over, whether or not anyone could be asked.

pub mod archive;
pub mod closed;
mod past;
pub mod relay;
pub mod republish;
mod road;
mod tenure;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::archive::Archive;
use self::closed::Closed;
use self::relay::{Mode, Relay};
use self::road::{Known, Road};
use self::tenure::Tenure;
use crate::domain::event::Event;
use crate::journal::{Follow, Journal};
use crate::runtime::Clock;
use crate::storage::{Archived, Source, Stored};
use crate::stream::{Lease, Log, LogPosition};

/// The lease's role.
const ROLE: &str = "pipeline";
/// How long the last records may take to land when it stops.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the pipeline works with.
pub struct Parts {
    /// Where events come from.
    pub log: Arc<dyn Log>,
    /// Where they end.
    pub archived: Archived,
    /// The last stop.
    pub archive: Arc<Archive>,
    /// Where closed conversations go on.
    pub closed: Arc<Closed>,
    /// The way to the journal, where there is one.
    pub relay: Option<Arc<Relay>>,
    /// The time.
    pub clock: Clock,
    /// This run of this process: nobody else's name, ever.
    pub owner: String,
    /// How long a partition of a node that died stays without an owner.
    pub lease: Duration,
}

/// All partitions of this node.
pub struct Pipeline {
    parts: Parts,
    roads: Mutex<BTreeMap<u16, Arc<Road>>>,
}

/// One partition of this node, for figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Which.
    pub partition: u16,
    /// `None` without a journal.
    pub mode: Option<Mode>,
    /// Changes of mode.
    pub turns: u64,
    /// Records on their way to Kafka.
    pub on_the_way: usize,
    /// Bytes in the spool.
    pub spooled: u64,
    /// The spool refuses, and events wait in the stream.
    pub spool_full: bool,
    /// Up to where the journal, or the spool, has the partition's log.
    pub kept: LogPosition,
    /// Up to where SQL has it.
    pub committed: LogPosition,
}

impl Pipeline {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self { parts, roads: Mutex::default() })
    }

    /// How each partition of this node stands.
    #[must_use]
    pub fn figures(&self) -> Vec<Figures> {
        let roads = self.roads.lock();
        let one = |road: &Arc<Road>| {
            let facts = road.facts();
            Figures {
                partition: road.partition,
                mode: *road.mode.borrow(),
                turns: facts.turns,
                on_the_way: facts.on_the_way,
                spooled: facts.spooled,
                spool_full: facts.spool_full,
                kept: facts.kept,
                committed: facts.committed,
            }
        };
        roads.values().map(one).collect()
    }

    /// Age of the oldest event that SQL has not got, of this node's partitions; 0 when it has all, `None` when the
    /// stream does not say.
    pub async fn lag(&self) -> Option<Duration> {
        let mut oldest = 0;
        for Figures { partition, committed, .. } in self.figures() {
            let next = self.parts.log.log(partition, committed, 1).await.ok()?;
            let age = next.first().map(|(at, _)| self.parts.clock.now().saturating_sub(at.ms));
            oldest = oldest.max(age.unwrap_or_default());
        }
        Some(Duration::from_millis(oldest))
    }

    /// Whether the stream gives an answer, of one partition in turn: each may be on another server.
    pub async fn stream_answers(&self, turn: u16) -> bool {
        let log = &self.parts.log;
        log.log_end(turn % log.partitions().max(1)).await.is_ok()
    }

    /// Where there is one.
    #[must_use]
    pub fn journal(&self) -> Option<&Arc<Journal>> {
        self.parts.relay.as_ref().map(|relay| &relay.journal)
    }

    /// Events that wait for SQL on this node.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.parts.archive.waiting()
    }

    /// Runs until shut down.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut reader = self.parts.relay.as_ref().and_then(|relay| {
            let made = relay.journal.reader();
            made.inspect_err(|error| tracing::error!(%error, "the journal is not read")).ok()
        });
        let follow = reader.as_ref().map(|reader| reader.follow());
        let read = async {
            if let Some(reader) = &mut reader {
                tokio::select! {
                    () = self.parts.archive.read_journal(reader) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        };
        tokio::join!(
            self.take_partitions(follow, &shutdown),
            self.parts.archive.write(&shutdown),
            self.parts.closed.run(shutdown.clone()),
            read,
        );
    }

    /// Takes what is free, again and again.
    async fn take_partitions(
        self: &Arc<Self>,
        follow: Option<Follow>,
        shutdown: &CancellationToken,
    ) {
        let mut held = JoinSet::new();
        let all = self.parts.log.partitions();
        let offset = crate::runtime::random_bytes::<2>();
        let first = u16::from_le_bytes(offset) % all.max(1);
        while !shutdown.is_cancelled() {
            for partition in (0..all).map(|n| (first + n) % all) {
                if self.roads.lock().contains_key(&partition) || shutdown.is_cancelled() {
                    continue;
                }
                let (parts, asked) = (&self.parts, self.parts.clock.now());
                let lease = parts.log.lease(partition, ROLE, &parts.owner, parts.lease).await;
                if let Ok(Some(lease)) = lease {
                    let tenure = Tenure::new(lease, asked, parts.lease, &parts.clock, shutdown);
                    let own = self.clone().own(tenure, follow.clone());
                    self.roads
                        .lock()
                        .insert(partition, Road::new(partition, None, Known::default()));
                    held.spawn(own);
                }
                let pause = pause(self.roads.lock().len());
                tokio::time::timeout(pause, shutdown.cancelled()).await.ok();
            }
            tokio::time::timeout(self.parts.lease / 4, shutdown.cancelled()).await.ok();
            while held.try_join_next().is_some() {}
        }
        if let Some(relay) = &self.parts.relay {
            relay.journal.flush(LAST_WORDS).await;
        }
        while held.join_next().await.is_some() {}
    }

    /// One partition, from taking it to giving it back.
    async fn own(self: Arc<Self>, tenure: Tenure, follow: Option<Follow>) {
        let partition = tenure.lease().partition;
        tokio::join!(self.renew(&tenure), async {
            self.work(&tenure, follow.as_ref()).await;
            tenure.end();
        });
        self.roads.lock().remove(&partition);
        self.parts.log.release(tenure.lease().clone()).await;
    }

    async fn renew(&self, tenure: &Tenure) {
        let Lease { partition, epoch, .. } = *tenure.lease();
        while tenure.holds() {
            tenure.wait(self.parts.lease / 3).await;
            if !tenure.holds() {
                return;
            }
            let (parts, asked) = (&self.parts, self.parts.clock.now());
            match parts.log.lease(partition, ROLE, &parts.owner, parts.lease).await {
                Ok(Some(lease)) if lease.epoch == epoch => tenure.extend(asked, parts.lease),
                Ok(_) => return tenure.end(),
                Err(error) => tracing::debug!(%error, partition, "the lease is not renewed"),
            }
        }
    }

    async fn work(&self, tenure: &Tenure, follow: Option<&Follow>) {
        let partition = tenure.lease().partition;
        let Some(known) = self.positions(tenure).await else { return };
        // Until the relay knows better, the log is read.
        let mode = self.parts.relay.as_ref().map(|_| Mode::Spool);
        let road = Road::new(partition, mode, known);
        self.roads.lock().insert(partition, road.clone());
        self.parts.archive.take(road.clone());
        if let Some(error) = follow.and_then(|follow| follow.from(partition, known.next).err()) {
            tracing::error!(%error, partition, "the journal is not read");
        }
        let relay = async {
            match &self.parts.relay {
                Some(relay) => relay.run(&road, tenure).await,
                None => self.trim(&road, tenure).await,
            }
            tenure.end();
        };
        tokio::join!(relay, self.parts.archive.read_log(&*self.parts.log, &road, tenure));
        self.parts.archive.leave(partition);
        if let Some(follow) = follow {
            drop(follow.leave(partition));
        }
    }

    /// What SQL has. Asks until there is an answer.
    async fn positions(&self, tenure: &Tenure) -> Option<Known> {
        let partition = tenure.lease().partition;
        while tenure.holds() {
            match self.ask_positions(tenure.lease()).await {
                Ok(known) => return Some(known),
                Err(error) => tracing::warn!(%error, partition, "SQL does not say what it has"),
            }
            tenure.wait(Duration::from_secs(1)).await;
        }
        None
    }

    /// Also tells SQL whose the partition is now: what a spool is worth depends on who was in between.
    async fn ask_positions(&self, lease: &Lease) -> Stored<Known> {
        let (archived, partition) = (&self.parts.archived, lease.partition);
        let committed = of(partition, archived.positions(Source::Log).await?).unwrap_or(START);
        let next = of(partition, archived.positions(Source::Journal).await?);
        if self.parts.relay.is_none() {
            return Ok(Known { committed, next, ..Known::default() });
        }
        let begun = of(partition, archived.positions(Source::Begin).await?);
        let before = of(partition, archived.positions(Source::Owner).await?);
        let begin = begun.unwrap_or(committed);
        let rows = [
            (partition, Source::Begin, begin.to_string()),
            (partition, Source::Owner, lease.epoch.to_string()),
        ];
        archived.write(&[] as &[Event], &rows).await?;
        // Our own epoch, from a try whose answer was lost: who was before is not known any more.
        let before = before.filter(|before| *before != lease.epoch).unwrap_or_default();
        Ok(Known { committed, next, begin, before })
    }

    /// Without a journal: the log is needed only above what SQL has.
    async fn trim(&self, road: &Road, tenure: &Tenure) {
        let mut trimmed = START;
        while tenure.holds() {
            let upto = road.needless();
            if upto > trimmed {
                match self.parts.log.trim(tenure.lease(), upto).await {
                    Ok(()) => trimmed = upto,
                    Err(crate::stream::TrimError::LeaseLost) => return,
                    Err(error) => tracing::debug!(%error, "the log is not trimmed"),
                }
            }
            tenure.wait(Duration::from_secs(1)).await;
        }
    }
}

const START: LogPosition = LogPosition::START;

/// A partition's position among all.
fn of<T: std::str::FromStr>(partition: u16, all: Vec<(u16, String)>) -> Option<T> {
    all.into_iter().find(|(one, _)| *one == partition).and_then(|(_, at)| at.parse().ok())
}

/// Before the next try to take a partition: whoever has less is quicker.
fn pause(held: usize) -> Duration {
    Duration::from_millis(5 + 10 * held as u64)
}

#[cfg(test)]
mod tests;
