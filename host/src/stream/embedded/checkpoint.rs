//! The checkpointer: moves the write-ahead log into the file on its own thread, so that appends do
//! not wait for it.
//!
//! ```text
//!   writer: commit, receipts ──4,000 events, 3 s───▶ thread: move, fsync the file
//!   writer: moves the few frames that came meanwhile ◀── log is long ──┘
//!           (all is moved now: the next commit starts the log over)
//! ```
//! It alone never catches up with a writer that does not pause, so the log would never start over.
//! That last step is the writer's, right after the thread's, when there is next to nothing left to do,
//! and after the receipts have gone out: nobody waits for it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::schema;

/// Appended events between two checkpoints, at least.
const EVERY: usize = 4_000;

/// Time between two checkpoints, at least. While the file is made durable commits wait for the same disk, 6 to 12 ms however
/// little was moved: at a high rate it is the number of checkpoints that makes the 99th percentile of acks.
const APART: Duration = Duration::from_secs(3);

/// Frames after which the log is to start over: what a crash leaves to be read at the next start.
const LONG: u32 = 32_000;

/// The thread's handle. Dropping it waits for the thread.
pub(super) struct Checkpointer {
    /// `None` only while dropping.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    since: usize,
    last: Instant,
    /// The log is long and nearly all of it has been moved.
    nearly: Arc<AtomicBool>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, String> {
        let connection = schema::open_checkpointer(path).map_err(|e| e.to_string())?;
        // Closed only with the writer: closing any handle lets go of all POSIX locks this process has on
        // the file. `stream.lock` keeps others out.
        let file = File::options().write(true).open(path).map_err(|e| e.to_string())?;
        let (wake, woken) = sync_channel(1);
        let nearly = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&nearly);
        let every = move || {
            while woken.recv().is_ok() {
                match moved(&connection, &file) {
                    Ok(frames) if frames >= LONG => told.store(true, Ordering::Release),
                    Ok(_) => {}
                    Err(e) => tracing::warn!(error = %e, "the stream's log could not be moved"),
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("kefu-stream-wal".into())
            .spawn(every)
            .map_err(|e| e.to_string())?;
        Ok(Self { wake: Some(wake), thread: Some(thread), since: 0, last: Instant::now(), nearly })
    }

    /// Counts appended events and wakes the thread when there are enough; one that is at work is
    /// left alone. `writer` does the last step when it is due.
    pub(super) fn appended(&mut self, events: usize, writer: &Connection) {
        self.since += events;
        if self.since >= EVERY
            && self.last.elapsed() >= APART
            && let Some(wake) = &self.wake
            && wake.try_send(()).is_ok()
        {
            self.since = 0;
            self.last = Instant::now();
        }
        if self.nearly.swap(false, Ordering::Acquire)
            && let Err(e) = schema::checkpoint(writer)
        {
            tracing::warn!(error = %e, "the stream's log could not start over");
        }
    }
}

/// Moves what there is and makes it durable, which SQLite itself does only when nothing is left; the
/// number of frames in the log.
fn moved(connection: &Connection, file: &File) -> Result<u32, String> {
    let frames = schema::checkpoint(connection).map_err(|e| e.to_string())?;
    file.sync_data().map_err(|e| e.to_string())?;
    Ok(frames)
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the stream's checkpoint thread panicked");
        }
    }
}
