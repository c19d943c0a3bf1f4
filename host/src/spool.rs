//! The spool: a queue on this node's disk, one per partition, that stands in for the journal while Kafka is away.
//!
//! Promises:
//! - what an [`Queue::append`] returned for is on the disk (fsynced), whole batch or nothing;
//! - a queue gives back what it kept, in order, and a torn end (the power went in the middle of a write) is cut off when
//!   it is opened; damage anywhere else is told, never skipped;
//! - all queues together hold at most `max_bytes`; at it, and on a full disk, an append is [`SpoolError::Full`] and
//!   changes nothing.
//!
//! ```text
//!   spool/p003/  0000000001.seg  0000000002.seg     segments: a header, then frames (spool/frame.rs)
//!                cursor                             which lease wrote it, and what is drained
//! ```
//!
//! It is not the only copy of anything: what it holds is also in the stream's log or in SQL, which is why damage and a
//! lost disk cost a refill and no event. It does not know Kafka, and does no I/O but when called: on a blocking thread.

mod cursor;
mod frame;
mod queue;
mod segment;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use queue::Queue;

/// Bytes after which a new segment is begun: what draining frees at once.
const SEGMENT_BYTES: u64 = 16 << 20;

/// Why the spool did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// No room within `spool.max_bytes`, or on the disk. Nothing was kept; the same append may be tried later.
    #[error("the spool is full: {used} of {most} bytes{}", if *disk { ", and the disk has no room" } else { "" })]
    Full {
        /// Bytes of all queues.
        used: u64,
        /// `spool.max_bytes`.
        most: u64,
        /// The disk said so.
        disk: bool,
    },
    /// Something else than the end cannot be read: the queue has to be cleared and filled again.
    #[error("the spool is damaged: {0}")]
    Damaged(String),
    /// Another process writes there: two would take each other's events for damage.
    #[error("another process uses the spool in {0}")]
    InUse(String),
    /// The disk does not do it.
    #[error("the spool at {path}: {why}")]
    Disk {
        /// Where.
        path: String,
        /// Why.
        why: io::Error,
    },
}

/// All queues of this node: where they are, and how much they hold together.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    most: u64,
    segment_bytes: u64,
    used: AtomicU64,
    /// Held for as long as anyone may write.
    _lock: File,
}

impl Spool {
    /// The spool in `dir` (made if need be), of at most `most` bytes.
    ///
    /// # Errors
    /// When the folder cannot be used, or another process uses it.
    pub fn open(dir: &Path, most: u64) -> Result<Arc<Self>, SpoolError> {
        Self::with_segments(dir, most, SEGMENT_BYTES)
    }

    fn with_segments(dir: &Path, most: u64, segment_bytes: u64) -> Result<Arc<Self>, SpoolError> {
        std::fs::create_dir_all(dir).map_err(on(dir))?;
        let (used, _lock) = (AtomicU64::new(0), lock(dir)?);
        let spool = Self { dir: dir.into(), most, segment_bytes, used, _lock };
        for queue in std::fs::read_dir(dir).map_err(on(dir))?.flatten() {
            let path = queue.path();
            if path.is_dir() {
                let bytes: u64 = segment::list(&path)?.iter().map(|(_, _, bytes)| bytes).sum();
                spool.used.fetch_add(bytes, Ordering::AcqRel);
            }
        }
        Ok(Arc::new(spool))
    }

    /// The queue of a partition, as it was left: whoever opens one is alone with it.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`], [`SpoolError::Disk`].
    pub fn queue(self: &Arc<Self>, partition: u16) -> Result<Queue, SpoolError> {
        Queue::open(self.clone(), self.dir.join(format!("p{partition:03}")))
    }

    /// Throws a partition's queue away, readable or not.
    ///
    /// # Errors
    /// [`SpoolError::Disk`].
    pub fn clear(&self, partition: u16) -> Result<(), SpoolError> {
        let dir = self.dir.join(format!("p{partition:03}"));
        if dir.exists() {
            for (_, path, bytes) in segment::list(&dir)? {
                std::fs::remove_file(&path).map_err(on(&path))?;
                self.freed(bytes);
            }
            std::fs::remove_dir_all(&dir).map_err(on(&dir))?;
        }
        Ok(())
    }

    /// Bytes of all queues.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    /// Takes room before it is written to.
    fn take(&self, bytes: u64) -> Result<(), SpoolError> {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.most);
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(()),
            Err(used) => Err(SpoolError::Full { used, most: self.most, disk: false }),
        }
    }

    fn freed(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// What a failed write means.
    fn refusal(&self, path: &Path, why: io::Error) -> SpoolError {
        match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                SpoolError::Full { used: self.used(), most: self.most, disk: true }
            }
            _ => on(path)(why),
        }
    }
}

/// Keeps every other opener out for as long as the file is open; the system lets go of it when a process dies.
fn lock(dir: &Path) -> Result<File, SpoolError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(on(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse(dir.display().to_string())),
        Err(TryLockError::Error(why)) => Err(on(&path)(why)),
    }
}

fn on(path: &Path) -> impl Fn(io::Error) -> SpoolError {
    move |why| SpoolError::Disk { path: path.display().to_string(), why }
}

#[cfg(test)]
mod tests;
