//! One partition under way: what is done by turns while the lease lasts. Each turn looks at the lane, does what
//! `plan::next` says, and moves events on; where there was nothing to move, it waits until something is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::liveness::{Liveness, Seen};
use super::plan::{self, Found, Mode, Next};
use super::{Ended, Relay};
use crate::domain::event::Event;
use crate::domain::ids::Millis;
use crate::domain::partition;
use crate::journal::{End, Journal, JournalError, Lane, LaneState, SendError, Stamp};
use crate::pipeline::Tenure;
use crate::pipeline::past::Past;
use crate::pipeline::road::Road;
use crate::spool::{Queue, SpoolError};
use crate::stream::{LogPosition, TrimError};

/// Events read at once.
const PAGE: usize = 1000;
/// When to look again though nothing was told.
const TICK: Duration = Duration::from_millis(500);
/// How long to let events gather before the next look: nobody waits for them here, and each look has its price.
const GATHER: Duration = Duration::from_millis(20);
/// How often the log is trimmed.
const NOW_AND_THEN_MS: Millis = 1000;

type Items = VecDeque<(LogPosition, Arc<Event>)>;

/// Whether to go on at once.
#[derive(PartialEq, Eq)]
enum Turn {
    Busy,
    Idle,
}

/// What only SQL has, on its way.
struct Refill {
    after: LogPosition,
    upto: LogPosition,
    past: Past,
}

/// One partition, while the lease lasts.
pub(super) struct Work<'a> {
    relay: &'a Relay,
    road: &'a Road,
    tenure: &'a Tenure,
    lane: Lane,
    /// `None` only while a blocking thread has it.
    queue: Option<Queue>,
    mode: Mode,
    liveness: Liveness,
    /// See [`Seen::asked`].
    asked: bool,
    /// The spool has everything that is not journalled, from the run before.
    keeps_spool: bool,
    /// Up to where the journal has it is known.
    settled: bool,
    /// Kafka is being asked for that.
    asking: JoinSet<Result<End, JournalError>>,
    /// The log is read up to here.
    cursor: LogPosition,
    /// Handed to the lane up to here.
    sent: LogPosition,
    /// Read and not yet handed over: from the log when direct, else from the spool.
    pending: Items,
    refill: Option<Refill>,
    /// SQL's when the partition was taken.
    committed: LogPosition,
    /// When things are done that are done now and then.
    next_chore: Millis,
    /// The log is trimmed up to here.
    trimmed: LogPosition,
}

impl<'a> Work<'a> {
    /// Looks at what there is, and begins where `plan` says.
    pub(super) async fn begin(
        relay: &'a Relay,
        road: &'a Road,
        tenure: &'a Tenure,
    ) -> Result<Self, Ended> {
        let (partition, epoch) = (road.partition, tenure.epoch());
        let spool = relay.spool.clone();
        let mut queue = blocking(move || spool.queue(partition)).await??;
        // As it was before anything of this tenure: what came since is still in the log.
        let committed = road.taken;
        let journalled = match ask(&relay.journal, partition, road.before).await {
            Ok(end) => Some(plan::journalled(end, road.begin, committed)),
            Err(error) => {
                tracing::warn!(%error, partition, "events are spooled: Kafka was not to be asked");
                None
            }
        };
        let begin = plan::begin(Found {
            journalled,
            epoch,
            before: road.before,
            spool_epoch: queue.epoch(),
            spool_end: queue.end(),
            spool_empty: queue.is_empty(),
        });
        if !begin.keeps_spool {
            let spool = relay.spool.clone();
            drop(queue);
            queue = blocking(move || spool.clear(partition).and_then(|()| spool.queue(partition)))
                .await??;
        }
        let now = relay.clock.now();
        let mut work = Self {
            relay,
            road,
            tenure,
            lane: relay.journal.lane(partition, LogPosition::START)?,
            queue: Some(queue),
            mode: begin.mode,
            liveness: Liveness::down(now),
            asked: false,
            keeps_spool: begin.keeps_spool,
            settled: false,
            asking: JoinSet::new(),
            cursor: begin.cursor,
            sent: LogPosition::START,
            pending: Items::new(),
            refill: None,
            committed,
            next_chore: now,
            trimmed: LogPosition::START,
        };
        if begin.keeps_spool {
            work.on_disk(move |queue| queue.own(epoch)).await?;
        }
        if let Some(known) = journalled {
            work.settle(known).await?;
            work.liveness = Liveness::Up;
        }
        road.set_mode(begin.mode);
        tracing::debug!(partition, epoch, mode = ?begin.mode, "this node relays the partition");
        Ok(work)
    }

    /// Until the lease ends, or something does not go on.
    pub(super) async fn run(mut self) -> Ended {
        let mut told = String::new();
        loop {
            if !self.tenure.holds() {
                return Ended::Lease;
            }
            match self.turn().await {
                Ok(Turn::Busy) => told.clear(),
                Ok(Turn::Idle) => {
                    tokio::select! {
                        () = self.relay.log.appended(self.road.partition) => {}
                        () = self.lane.moved() => {}
                        () = self.tenure.wait(TICK) => {}
                    }
                    self.tenure.wait(GATHER).await;
                }
                // Nothing was changed: the same again. A stream that is away for long ends the lease.
                Err(error @ (Ended::Stream(_) | Ended::Storage(_))) => {
                    let error = error.to_string();
                    if error != told {
                        let partition = self.road.partition;
                        tracing::warn!(%error, partition, "the relay waits");
                        told = error;
                    }
                    self.tenure.wait(TICK).await;
                }
                Err(ended) => return ended,
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, Ended> {
        let lane = self.lane.state();
        self.look(lane).await?;
        let spool_empty = self.queue.as_ref().is_none_or(Queue::is_empty);
        let mut drained = Turn::Idle;
        match plan::next(self.mode, self.liveness, spool_empty, lane.waiting) {
            Next::Go => {}
            Next::EnterSpool => self.enter_spool(lane)?,
            Next::LeaveSpool if self.refill.is_none() => self.leave_spool(),
            Next::LeaveSpool | Next::Drain => drained = self.drain(lane, PAGE).await?,
            Next::Canary if self.settled => {
                self.drain(lane, 1).await?;
            }
            Next::Canary => self.ask_again().await?,
        }
        self.chores().await?;
        let moved = match self.mode {
            Mode::Direct => self.forward(lane).await?,
            Mode::Spool => self.fill().await?,
        };
        Ok(if drained == Turn::Busy { drained } else { moved })
    }

    /// Takes in what has landed, and judges.
    async fn look(&mut self, lane: LaneState) -> Result<(), Ended> {
        let drained = self.queue.as_ref().map(Queue::drained_upto).unwrap_or_default();
        if self.mode == Mode::Spool && self.settled && lane.landed > drained {
            self.on_disk(move |queue| queue.drained(lane.landed)).await?;
        }
        let seen = Seen { oldest_ms: lane.oldest_ms, broken: lane.broken, asked: self.asked };
        let judged = self.liveness.look(self.relay.rules, self.relay.clock.now(), seen);
        if judged != self.liveness && lane.waiting == 0 {
            self.asked = false;
        }
        self.liveness = judged;
        if lane.broken && self.mode == Mode::Spool {
            self.begin_lane(lane.landed)?;
        }
        let end = self.queue.as_ref().map(Queue::end).unwrap_or_default();
        let spooled = self.queue.as_ref().map(Queue::bytes).unwrap_or_default();
        let kept = if self.mode == Mode::Spool { end.max(lane.landed) } else { lane.landed };
        self.road.note(|facts| {
            (facts.kept, facts.on_the_way, facts.spooled) = (kept, lane.waiting, spooled);
        });
        Ok(())
    }

    /// A lane that lost something is at its end; the next one begins after what has landed.
    fn begin_lane(&mut self, landed: LogPosition) -> Result<(), Ended> {
        self.lane = self.relay.journal.lane(self.road.partition, landed)?;
        (self.sent, self.asked) = (landed, false);
        self.pending.clear();
        self.refill_again();
        if let Some(queue) = &mut self.queue {
            queue.rewind();
        }
        Ok(())
    }

    fn enter_spool(&mut self, lane: LaneState) -> Result<(), Ended> {
        let (partition, unacked) = (self.road.partition, lane.waiting);
        tracing::warn!(partition, unacked, "Kafka takes nothing: events go to the spool");
        self.pending.clear();
        self.refill_again();
        self.cursor = lane.landed;
        self.asked = lane.waiting > 0;
        if lane.broken {
            self.begin_lane(lane.landed)?;
        }
        self.mode = Mode::Spool;
        self.road.turn(Mode::Spool);
        Ok(())
    }

    fn leave_spool(&mut self) {
        tracing::info!(partition = self.road.partition, "the spool is drained: straight to Kafka");
        self.pending.clear();
        self.road.note(|facts| facts.spool_full = false);
        self.mode = Mode::Direct;
        self.road.turn(Mode::Direct);
    }

    /// Kafka did not say up to where it has the partition: asks again, and takes the answer when there is one.
    async fn ask_again(&mut self) -> Result<(), Ended> {
        match self.asking.try_join_next() {
            Some(Ok(Ok(end))) => {
                let known = plan::journalled(end, self.road.begin, self.committed);
                self.settle(known).await?;
                self.asked = true;
            }
            Some(Ok(Err(error))) => {
                tracing::debug!(%error, partition = self.road.partition, "Kafka is still away");
            }
            Some(Err(_)) => return Err(Ended::Thread),
            None if self.asking.is_empty() => {
                let (partition, before) = (self.road.partition, self.road.before);
                let journal = self.relay.journal.clone();
                self.asking.spawn(async move { ask(&journal, partition, before).await });
            }
            None => {}
        }
        Ok(())
    }

    /// From now on it is known what the journal has, and that the spool has all the rest.
    async fn settle(&mut self, landed: LogPosition) -> Result<(), Ended> {
        let epoch = self.tenure.epoch();
        self.begin_lane(landed)?;
        self.on_disk(move |queue| queue.own(epoch).and_then(|()| queue.drained(landed))).await?;
        let partition = self.road.partition;
        if let Some((after, upto)) = plan::gap(landed, self.trimmed().await?, self.keeps_spool) {
            tracing::warn!(partition, %after, %upto, "the journal lacks events: SQL gives them");
            self.refill = Some(Refill { after, upto, past: self.past(after, upto) });
        }
        self.settled = true;
        Ok(())
    }

    /// Up to where only SQL has events. A stream whose log ends before what SQL has of it has lost its data.
    async fn trimmed(&self) -> Result<LogPosition, Ended> {
        let (log, partition) = (&self.relay.log, self.road.partition);
        if log.log_end(partition).await? < self.committed {
            return Ok(self.committed);
        }
        Ok(log.trimmed(partition).await?)
    }

    /// From the log to Kafka.
    async fn forward(&mut self, lane: LaneState) -> Result<Turn, Ended> {
        if self.refill.is_some() {
            return self.refill(lane, PAGE).await;
        }
        if self.pending.is_empty() && lane.waiting < self.relay.window {
            self.pending = self.read_log().await?;
        }
        let read = self.pending.len();
        self.hand_over(lane, PAGE);
        Ok(if read == PAGE && self.pending.is_empty() { Turn::Busy } else { Turn::Idle })
    }

    /// From the spool to Kafka: at most `most` events.
    async fn drain(&mut self, lane: LaneState, most: usize) -> Result<Turn, Ended> {
        if self.refill.is_some() {
            return self.refill(lane, most).await;
        }
        if self.pending.is_empty() && lane.waiting < self.relay.window {
            let read = self.on_disk(|queue| queue.next(PAGE)).await?;
            let sent = self.sent;
            self.pending = read.into_iter().filter(|(at, _)| *at > sent).collect();
        }
        // With nothing to send, nothing is late either.
        self.asked = true;
        let read = self.pending.len();
        self.hand_over(lane, most);
        Ok(if read > 0 && self.pending.is_empty() { Turn::Busy } else { Turn::Idle })
    }

    /// Gives the lane what is pending, as far as it takes it.
    fn hand_over(&mut self, lane: LaneState, most: usize) {
        let room = self.relay.window.saturating_sub(lane.waiting).min(most);
        for _ in 0..room {
            let Some((at, event)) = self.pending.front() else { return };
            let stamp = Stamp { epoch: self.tenure.epoch(), position: *at };
            match self.lane.send(stamp, event) {
                Ok(()) => self.sent = *at,
                // Full: some have to land first. Broken: the next look finds it.
                Err(SendError::Full | SendError::Broken(_)) => return,
            }
            self.pending.pop_front();
        }
    }

    /// From the log to the spool.
    async fn fill(&mut self) -> Result<Turn, Ended> {
        let from = self.cursor;
        let batch: Vec<_> = self.read_log().await?.into();
        let read = batch.len();
        match self.on_disk(move |queue| queue.append(&batch)).await {
            Ok(()) => {
                self.road.note(|facts| facts.spool_full = false);
                self.road.appended.notify_one();
            }
            Err(Ended::Spool(error @ (SpoolError::Full { .. } | SpoolError::Disk { .. }))) => {
                self.cursor = from;
                if !self.road.facts().spool_full {
                    let partition = self.road.partition;
                    tracing::error!(%error, partition, "events wait in the stream's log");
                }
                self.road.note(|facts| facts.spool_full = true);
                return Ok(Turn::Idle);
            }
            Err(other) => return Err(other),
        }
        Ok(if read == PAGE { Turn::Busy } else { Turn::Idle })
    }

    async fn read_log(&mut self) -> Result<Items, Ended> {
        let read = self.relay.log.log(self.road.partition, self.cursor, PAGE).await?;
        self.cursor = read.last().map_or(self.cursor, |(at, _)| *at);
        Ok(read.into())
    }

    /// From SQL to Kafka: what only SQL has, by its time, each a copy that readers know by its number.
    async fn refill(&mut self, lane: LaneState, most: usize) -> Result<Turn, Ended> {
        let Some(refill) = &mut self.refill else { return Ok(Turn::Busy) };
        if self.pending.is_empty() {
            let Some(page) = refill.past.next().await? else {
                let (partition, upto) = (self.road.partition, refill.upto);
                tracing::info!(partition, %upto, "the journal has what only SQL had");
                self.refill = None;
                return Ok(Turn::Busy);
            };
            let (after, own) = (refill.after, self.road.partition);
            let many = self.relay.log.partitions();
            let ours = page.into_iter().filter(|e| partition::of(e.conversation, many) == own);
            self.pending = ours.map(|event| (after, event)).collect();
        }
        self.asked = true;
        self.hand_over(lane, most);
        Ok(if self.pending.is_empty() { Turn::Busy } else { Turn::Idle })
    }

    fn refill_again(&mut self) {
        if let Some(Refill { after, upto, .. }) = self.refill {
            self.refill = Some(Refill { after, upto, past: self.past(after, upto) });
        }
    }

    fn past(&self, after: LogPosition, upto: LogPosition) -> Past {
        // A position's time is its event's.
        Past::new(self.relay.past.clone(), after.ms, upto.ms)
    }

    /// Trims the log, once in a while.
    async fn chores(&mut self) -> Result<(), Ended> {
        let now = self.relay.clock.now();
        if now < self.next_chore {
            return Ok(());
        }
        self.next_chore = now + NOW_AND_THEN_MS;
        let upto = self.road.needless();
        if upto <= self.trimmed {
            return Ok(());
        }
        match self.relay.log.trim(self.tenure.lease(), upto).await {
            Ok(()) => {
                self.trimmed = upto;
                Ok(())
            }
            Err(TrimError::LeaseLost) => Err(Ended::Lease),
            Err(TrimError::Unavailable(error)) => Err(error.into()),
        }
    }

    /// Works on the queue where blocking is allowed.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Queue) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, Ended> {
        let mut queue = self.queue.take().ok_or(Ended::Thread)?;
        let (queue, outcome) = blocking(move || {
            let outcome = work(&mut queue);
            (queue, outcome)
        })
        .await?;
        self.queue = Some(queue);
        Ok(outcome?)
    }
}

/// What stands at a partition's end.
async fn ask(journal: &Journal, partition: u16, before: u64) -> Result<End, JournalError> {
    journal.prepare().await?;
    journal.last(partition, before).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Ended> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Ended::Thread)
}
