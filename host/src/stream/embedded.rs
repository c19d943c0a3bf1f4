//! The embedded stream: one SQLite file, one writer thread, a few readers.
//!
//! ```text
//!   append ──▶ bounded queue ──▶ writer thread ──▶ receipts ──▶ tails
//!                                 BEGIN, ≤ 512 inserts, COMMIT (fdatasync)
//!   checkpoint thread: every so many events, moves the write-ahead log into the file
//!   read, head ──▶ a reader connection on a blocking thread
//! ```
//!
//! The commit is the durable point and is shared by everything that waited for the one before. Only
//! the writer thread writes, which is what makes `seq` dense; a lock file keeps other processes
//! out. It does not trim.

mod checkpoint;
mod known;
mod readers;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{AppendError, OpenError, ReadError, Receipt, Stream, StreamLimits, Tail, Told, record};
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{ConversationId, Seq};
use crate::runtime::Clock;
use checkpoint::Checkpointer;
use readers::Readers;
use writer::Writer;

/// The writing end of a [`Tail`].
type TailSender = mpsc::Sender<Told>;

/// What the handle and the writer thread share.
#[derive(Default)]
pub(super) struct Shared {
    /// Live tails; the writer drops those whose reader is gone.
    tails: Mutex<Vec<TailSender>>,
    /// Bytes of bodies in the queue.
    queued: AtomicUsize,
    /// The handle is gone: finish the queue and wait for no tail.
    closing: AtomicBool,
}

/// One append on its way to the writer.
struct Job {
    event: NewEvent,
    body: Vec<u8>,
    reply: oneshot::Sender<Result<Receipt, AppendError>>,
}

/// The adapter.
pub(super) struct Embedded {
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    readers: Readers,
    shared: Arc<Shared>,
    limits: StreamLimits,
}

impl Embedded {
    pub(super) fn open(dir: &Path, clock: Clock, limits: StreamLimits) -> Result<Self, OpenError> {
        let unusable = |why: String| OpenError::Unusable { path: dir.display().to_string(), why };
        std::fs::create_dir_all(dir).map_err(|e| unusable(e.to_string()))?;
        let lock = lock(dir)?;
        let path = dir.join("stream.db");
        let connection = schema::open_writer(&path, &limits)
            .map_err(|e| unusable(e.to_string()))
            .and_then(|mut connection| {
            schema::migrate(&mut connection).map_err(|e| match e {
                schema::MigrateError::Newer { found, known } => OpenError::Newer { found, known },
                schema::MigrateError::Sql(e) => unusable(e.to_string()),
            })?;
            Ok(connection)
        })?;
        let readers = Readers::open(&path, limits.readers).map_err(|e| unusable(e.to_string()))?;
        let shared = Arc::new(Shared::default());
        let (queue, jobs) = mpsc::channel(limits.queue.max(1));
        let checkpointer = Checkpointer::start(&path).map_err(unusable)?;
        let writer = Writer::new(connection, checkpointer, Arc::clone(&shared), clock, &limits);
        let thread = std::thread::Builder::new()
            .name("kefu-stream".into())
            .spawn(move || {
                let _held_while_writing = lock;
                writer.run(jobs);
            })
            .map_err(|e| unusable(e.to_string()))?;
        Ok(Self { queue: Some(queue), writer: Some(thread), readers, shared, limits })
    }

    /// Puts a job into the queue, or says why there is no room.
    fn enqueue(&self, job: Job) -> Result<(), AppendError> {
        let bytes = job.body.len();
        let waiting = self.shared.queued.fetch_add(bytes, Ordering::AcqRel);
        let sent = match &self.queue {
            None => Err(stopped()),
            Some(_) if waiting > 0 && waiting + bytes > self.limits.queue_bytes => {
                Err(AppendError::Overloaded)
            }
            Some(queue) => queue.try_send(job).map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => stopped(),
            }),
        };
        if sent.is_err() {
            self.shared.queued.fetch_sub(bytes, Ordering::AcqRel);
        }
        sent
    }
}

#[async_trait]
impl Stream for Embedded {
    async fn append(&self, event: NewEvent) -> Result<Receipt, AppendError> {
        let body = record::encode(&event.body)
            .map_err(|why| AppendError::Unavailable(format!("cannot write the event: {why}")))?;
        let (reply, receipt) = oneshot::channel();
        self.enqueue(Job { event, body, reply })?;
        receipt.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn read(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        self.readers
            .with(move |connection| readers::events(connection, conversation, after, limit))
            .await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError> {
        self.readers
            .with(move |connection| {
                schema::head(connection, conversation).map_err(|e| ReadError(e.to_string()))
            })
            .await
    }

    async fn warm(&self) -> Result<(), ReadError> {
        self.readers.warm().await
    }

    fn tail(&self) -> Tail {
        let (tail, events) = mpsc::channel(self.limits.tail.max(1));
        self.shared.tails.lock().push(tail);
        events
    }
}

impl Drop for Embedded {
    /// Lets the writer finish its queue (bounded) and waits for it.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        drop(self.queue.take());
        if let Some(thread) = self.writer.take()
            && thread.join().is_err()
        {
            tracing::error!("the stream's writer thread panicked");
        }
    }
}

/// Keeps every other opener out for as long as the file is open; the system lets go of it when a
/// process dies.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let unusable = |why: std::io::Error| OpenError::Unusable {
        path: dir.display().to_string(),
        why: why.to_string(),
    };
    let file = File::create(dir.join("stream.lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.display().to_string())),
        Err(TryLockError::Error(why)) => Err(unusable(why)),
    }
}

fn stopped() -> AppendError {
    AppendError::Unavailable("its writer has stopped".into())
}
