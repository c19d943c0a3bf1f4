//! The checkpointer: moves the write-ahead log into the file on its own thread, so that appends do
//! not wait for it.
//!
//! It never catches up with a writer that does not pause, so the log would never start over. The
//! writer's own checkpoint, at a high mark, has only the rest to move.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::schema;

/// Appended events between two checkpoints.
const EVERY: usize = 1_000;

/// The thread's handle. Dropping it waits for the thread.
pub(super) struct Checkpointer {
    /// `None` only while dropping.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    since: usize,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, String> {
        let connection = schema::open_checkpointer(path).map_err(|e| e.to_string())?;
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("kefu-stream-wal".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    if let Err(e) = schema::checkpoint(&connection) {
                        tracing::warn!(error = %e, "the stream's log could not be moved");
                    }
                }
            })
            .map_err(|e| e.to_string())?;
        Ok(Self { wake: Some(wake), thread: Some(thread), since: 0 })
    }

    /// Counts appended events and wakes the thread when there are enough; one that is at work is
    /// left alone.
    pub(super) fn appended(&mut self, events: usize) {
        self.since += events;
        if self.since >= EVERY
            && let Some(wake) = &self.wake
            && wake.try_send(()).is_ok()
        {
            self.since = 0;
        }
    }
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
