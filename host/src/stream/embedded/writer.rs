//! The writer thread: the only place that appends.
//!
//! A batch is whatever waited, up to its caps. It is committed whole or not at all: receipts, heads
//! and tails are touched only after the commit, so a refused batch consumes no `seq` and shows
//! nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, params};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::checkpoint::Checkpointer;
use super::heads::Heads;
use super::{Job, Shared, TailSender, record, schema};
use crate::domain::ids::{ConversationId, Millis, Seq};
use crate::runtime::Clock;
use crate::stream::{AppendError, Receipt, StreamLimits, Told};

const INSERT: &str = "INSERT INTO events
    (conversation, seq, at, sender_kind, sender, key, format, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (conversation, sender_kind, sender, key) DO NOTHING";

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
    heads: Heads,
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
            heads: Heads::new(limits.heads),
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
        let mut heads: HashMap<ConversationId, Seq> = HashMap::new();
        let mut receipts = Vec::with_capacity(batch.len());
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        {
            let mut insert = self.connection.prepare_cached(INSERT)?;
            let mut first = self.connection.prepare_cached(FIRST_RECEIPT)?;
            for Job { event, body, .. } in batch {
                let conversation = event.conversation;
                let id = conversation.get().cast_signed();
                let (kind, sender) = record::sender(event.from);
                let key = event.key.as_str();
                let head = match heads.get(&conversation).copied() {
                    Some(head) => head,
                    None => match self.heads.get(conversation) {
                        Some(head) => head,
                        None => schema::head(&self.connection, conversation)?,
                    },
                };
                let seq = (head + 1).cast_signed();
                let row =
                    params![id, seq, at.cast_signed(), kind, sender, key, record::FORMAT, body];
                let kept = insert.execute(row)? == 1;
                heads.insert(conversation, if kept { head + 1 } else { head });
                receipts.push(if kept {
                    Receipt { seq: head + 1, at, duplicate: false }
                } else {
                    first.query_row(params![id, kind, sender, key], |row| {
                        Ok(Receipt {
                            seq: row.get::<_, i64>(0)?.cast_unsigned(),
                            at: row.get::<_, i64>(1)?.cast_unsigned(),
                            duplicate: true,
                        })
                    })?
                });
            }
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        for (conversation, seq) in heads {
            self.heads.set(conversation, seq);
        }
        Ok(receipts)
    }

    /// After a failure: no transaction stays open, and nothing remembered is trusted.
    fn recover(&mut self, why: &rusqlite::Error) {
        tracing::error!(error = %why, "the stream kept nothing of a batch");
        if !self.connection.is_autocommit()
            && let Err(e) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = %e, "the stream could not roll back");
        }
        self.heads.clear();
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
