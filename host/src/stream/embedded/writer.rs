//! The writer thread: the only place that appends.
//!
//! A batch is whatever waited, up to its caps. It is committed whole or not at all: receipts and tails are touched only
//! after the commit, and what is known of conversations is forgotten when it fails, so a refused batch consumes no `seq`
//! and shows nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::checkpoint::Checkpointer;
use super::known::Known;
use super::{Job, Shared, TailSender, record, schema};
use crate::domain::ids::Millis;
use crate::runtime::Clock;
use crate::stream::{AppendError, Receipt, StreamLimits, Told};

const INSERT: &str = "INSERT INTO events
    (conversation, seq, at, sender_kind, sender, key, format, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

const FIRST_RECEIPT: &str = "SELECT seq, at FROM events
    WHERE conversation = ? AND sender_kind = ? AND sender = ? AND key = ?";

/// Time from one commit to the next while several wait: a commit costs the same whatever it holds, and without this there
/// are as many as the disk can do, of two or three events each.
const PACE: Duration = Duration::from_millis(1);

/// How long to leave a full tail alone before looking again.
const TAIL_PAUSE: Duration = Duration::from_micros(200);

/// The thread's state.
pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    clock: Clock,
    checkpointer: Checkpointer,
    known: Known,
    batch: usize,
    batch_bytes: usize,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        checkpointer: Checkpointer,
        shared: Arc<Shared>,
        clock: Clock,
        limits: &StreamLimits,
    ) -> Self {
        Self {
            connection,
            checkpointer,
            shared,
            clock,
            known: Known::new(limits.heads),
            batch: limits.batch.max(1),
            batch_bytes: limits.batch_bytes,
        }
    }

    /// Runs until every handle is gone and the queue is empty.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = Instant::now();
        while let Some(first) = jobs.blocking_recv() {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let begun = Instant::now();
            let mut bytes = first.body.len();
            let mut batch = vec![first];
            while batch.len() < self.batch && bytes < self.batch_bytes {
                let Ok(job) = jobs.try_recv() else { break };
                bytes += job.body.len();
                batch.push(job);
            }
            self.shared.queued.fetch_sub(bytes, Ordering::AcqRel);
            // Who speaks alone is not kept waiting.
            next = if batch.len() > 1 { begun + PACE } else { begun };
            self.append(batch);
        }
    }

    /// One batch from commit to tails.
    fn append(&mut self, batch: Vec<Job>) {
        let at = self.clock.now();
        match self.commit(&batch, at) {
            Ok(receipts) => {
                self.tell(batch, &receipts);
                self.checkpointer.appended(receipts.len(), &self.connection);
            }
            Err(why) => {
                self.recover(&why);
                let error = refusal(&why);
                for job in batch {
                    let _gone = job.reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Inserts and commits; the receipts are true only when this returns `Ok`.
    fn commit(&mut self, batch: &[Job], at: Millis) -> rusqlite::Result<Vec<Receipt>> {
        let mut receipts = Vec::with_capacity(batch.len());
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for job in batch {
            receipts.push(self.insert(job, at)?);
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(receipts)
    }

    /// One event, unless its sender has used the key before.
    fn insert(&mut self, Job { event, body, .. }: &Job, at: Millis) -> rusqlite::Result<Receipt> {
        let conversation = event.conversation;
        let id = conversation.get().cast_signed();
        let sender = record::sender(event.from);
        let key = event.key.as_str();
        let mut talk = match self.known.take(conversation) {
            Some(talk) => talk,
            None => schema::talk(&self.connection, conversation, |sender, key| {
                self.known.print(sender, key)
            })?,
        };
        let print = self.known.print(sender, key.as_bytes());
        let first = match talk.may_have(print) {
            true => self.first(id, sender, key)?,
            false => None,
        };
        let receipt = match first {
            Some(receipt) => receipt,
            None => {
                let seq = talk.head + 1;
                let row = params![
                    id,
                    seq.cast_signed(),
                    at.cast_signed(),
                    sender.0,
                    sender.1,
                    key,
                    record::FORMAT,
                    body
                ];
                self.connection.prepare_cached(INSERT)?.execute(row)?;
                talk.add(seq, print);
                Receipt { seq, at, duplicate: false }
            }
        };
        self.known.put(conversation, talk);
        Ok(receipt)
    }

    /// The receipt of the event with this key.
    fn first(&self, id: i64, sender: (i64, i64), key: &str) -> rusqlite::Result<Option<Receipt>> {
        self.connection
            .prepare_cached(FIRST_RECEIPT)?
            .query_row(params![id, sender.0, sender.1, key], |row| {
                let (seq, at) =
                    (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned());
                Ok(Receipt { seq, at, duplicate: true })
            })
            .optional()
    }

    /// After a failure: no transaction stays open, and nothing remembered is trusted.
    fn recover(&mut self, why: &rusqlite::Error) {
        tracing::error!(error = %why, "the stream kept nothing of a batch");
        if !self.connection.is_autocommit()
            && let Err(e) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = %e, "the stream could not roll back");
        }
        self.known.clear();
    }

    /// Receipts first, then the tails.
    fn tell(&self, batch: Vec<Job>, receipts: &[Receipt]) {
        let mut events = Vec::with_capacity(batch.len());
        for (Job { event, reply, .. }, receipt) in batch.into_iter().zip(receipts) {
            let _gone = reply.send(Ok(*receipt));
            if !receipt.duplicate {
                events.push(Arc::new(event.appended(receipt.seq, receipt.at)));
            }
        }
        if !events.is_empty() {
            self.show(&Told::Events(Arc::from(events)));
        }
    }

    /// To every tail, waiting for slow ones; those whose reader is gone are forgotten. The lock is
    /// not held while waiting, so opening a tail never waits for a slow one.
    fn show(&self, told: &Told) {
        let tails = self.shared.tails.lock().clone();
        let mut closed = false;
        for tail in &tails {
            closed |= !self.hand(tail, told.clone());
        }
        if closed {
            self.shared.tails.lock().retain(|tail| !tail.is_closed());
        }
    }

    /// `false` when nobody reads this tail any more.
    fn hand(&self, tail: &TailSender, mut told: Told) -> bool {
        loop {
            match tail.try_send(told) {
                Ok(()) => return true,
                Err(TrySendError::Closed(_)) => return false,
                Err(TrySendError::Full(back)) => {
                    if self.shared.closing.load(Ordering::Acquire) {
                        return true;
                    }
                    told = back;
                    std::thread::park_timeout(TAIL_PAUSE);
                }
            }
        }
    }
}

fn refusal(why: &rusqlite::Error) -> AppendError {
    match why.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => AppendError::Full("its disk, or its max_bytes".into()),
        _ => AppendError::Unavailable(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ConversationId;
    use crate::stream::contract::{says, talk};

    fn writer(dir: &std::path::Path) -> Writer {
        let (path, limits) = (dir.join("stream.db"), StreamLimits::default());
        let mut connection = schema::open_writer(&path, &limits).unwrap();
        schema::migrate(&mut connection).unwrap();
        let checkpointer = Checkpointer::start(&path).unwrap();
        Writer::new(connection, checkpointer, Arc::new(Shared::default()), Clock::system(), &limits)
    }

    fn job(key: &str) -> Job {
        of(talk(1), key)
    }

    fn of(conversation: ConversationId, key: &str) -> Job {
        let event = says(conversation, key, "x");
        let (reply, _) = tokio::sync::oneshot::channel();
        Job { body: record::encode(&event.body).unwrap(), event, reply }
    }

    #[test]
    fn two_keys_of_one_print_are_both_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        assert_eq!(writer.commit(&[job("a")], 1).unwrap()[0].seq, 1);
        let second = job("b");
        let print = writer
            .known
            .print(record::sender(second.event.from), second.event.key.as_str().as_bytes());
        let mut known = writer.known.take(talk(1)).unwrap();
        known.add(1, print);
        writer.known.put(talk(1), known);
        let kept = writer.commit(&[second], 2).unwrap();
        assert_eq!(kept, [Receipt { seq: 2, at: 2, duplicate: false }]);
    }

    #[test]
    fn a_commit_that_fails_is_forgotten_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        writer.commit(&[job("a")], 1).unwrap();
        let refuse = "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.events WHEN new.key = 'c'
            BEGIN SELECT RAISE(ABORT, 'as a full disk would'); END";
        writer.connection.execute_batch(refuse).unwrap();
        writer.append(vec![job("b"), of(talk(2), "c")]);
        let kept = writer.commit(&[job("b"), job("b"), job("a")], 3).unwrap();
        let kept: Vec<_> = kept.iter().map(|kept| (kept.seq, kept.at, kept.duplicate)).collect();
        assert_eq!(kept, [(2, 3, false), (2, 3, true), (1, 1, true)]);
    }
}
