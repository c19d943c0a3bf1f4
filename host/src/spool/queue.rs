//! One partition's queue: appended to at one end, read from the other, forgotten up to what is drained.
//!
//! ```text
//!   drained ─┐         ┌─ read on by `next`          ┌─ `append`
//!   [ seg 1 ─┴─────────┴── ][ seg 2 ──────── ][ seg 3┴── ]
//!     removed when its last frame is drained
//! ```

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::Cursor;
use super::segment::{self, Segment};
use super::{Spool, SpoolError, frame, on};
use crate::domain::event::Event;
use crate::stream::LogPosition;

/// See the module. All calls block.
#[derive(Debug)]
pub struct Queue {
    spool: Arc<Spool>,
    dir: PathBuf,
    segments: VecDeque<Segment>,
    /// The end of the last segment; `None`: to be opened.
    writer: Option<File>,
    cursor: Cursor,
    /// The segment's number, and the byte in it.
    read: (u64, u64),
}

impl Queue {
    pub(super) fn open(spool: Arc<Spool>, dir: PathBuf) -> Result<Self, SpoolError> {
        std::fs::create_dir_all(&dir).map_err(on(&dir))?;
        let found = segment::list(&dir)?;
        let (count, mut segments) = (found.len(), VecDeque::new());
        for (at, (number, path, bytes)) in found.into_iter().enumerate() {
            let segment = Segment::check(number, path, at + 1 == count)?;
            spool.freed(bytes - segment.bytes.min(bytes));
            segments.push_back(segment);
        }
        let cursor = Cursor::load(&dir);
        let mut queue = Self { spool, dir, segments, writer: None, cursor, read: (0, 0) };
        queue.forget()?;
        Ok(queue)
    }

    /// The lease it was last written under; 0 when nothing is known.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.cursor.epoch
    }

    /// From now on it is written under this lease.
    ///
    /// # Errors
    /// [`SpoolError::Disk`], [`SpoolError::Full`].
    pub fn own(&mut self, epoch: u64) -> Result<(), SpoolError> {
        self.cursor.epoch = epoch;
        self.cursor.store(&self.dir, true).map_err(|why| self.spool.refusal(&self.dir, why))
    }

    /// Nothing is left to be drained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end() <= self.cursor.drained
    }

    /// The last position kept; what is drained counts as kept.
    #[must_use]
    pub fn end(&self) -> LogPosition {
        let last = self.segments.iter().map(|segment| segment.last).max();
        last.unwrap_or_default().max(self.cursor.drained)
    }

    /// Up to where it is drained.
    #[must_use]
    pub fn drained_upto(&self) -> LogPosition {
        self.cursor.drained
    }

    /// Its bytes on the disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Keeps a batch, in order; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`SpoolError::Full`], [`SpoolError::Disk`]: then nothing of it was kept.
    pub fn append(&mut self, batch: &[(LogPosition, Arc<Event>)]) -> Result<(), SpoolError> {
        let Some((last, _)) = batch.last() else { return Ok(()) };
        let mut bytes = Vec::with_capacity(batch.len() * 256);
        for (at, event) in batch {
            let kept = frame::write(&mut bytes, *at, event);
            kept.map_err(|why| self.spool.refusal(&self.dir, why.into()))?;
        }
        if self.segments.back().is_none_or(|last| last.bytes >= self.spool.segment_bytes) {
            self.begin_segment()?;
        }
        let long = bytes.len() as u64;
        self.spool.take(long)?;
        if let Err(why) = self.write(&bytes) {
            self.spool.freed(long);
            // Whatever the disk holds behind what counts is overwritten: `reopen` cuts it off first.
            self.writer = None;
            return Err(self.spool.refusal(&self.dir, why));
        }
        if let Some(segment) = self.segments.back_mut() {
            (segment.bytes, segment.last) = (segment.bytes + long, *last);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.writer.is_none() {
            self.writer = self.segments.back().map(Segment::reopen).transpose()?;
        }
        let Some(file) = &mut self.writer else { return Ok(()) };
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn begin_segment(&mut self) -> Result<(), SpoolError> {
        let number = self.segments.back().map_or(self.read.0, |last| last.number) + 1;
        let made = Segment::create(&self.dir, number);
        let (segment, file) = made.map_err(|why| self.spool.refusal(&self.dir, why))?;
        if let Err(full) = self.spool.take(segment.bytes) {
            let _left_empty = std::fs::remove_file(&segment.path);
            return Err(full);
        }
        self.segments.push_back(segment);
        self.writer = Some(file);
        Ok(())
    }

    /// The next events after those read so far, at most `limit`.
    ///
    /// # Errors
    /// [`SpoolError::Damaged`], [`SpoolError::Disk`].
    pub fn next(&mut self, limit: usize) -> Result<Vec<(LogPosition, Arc<Event>)>, SpoolError> {
        loop {
            let here = self.segments.iter().find(|segment| segment.number >= self.read.0);
            let Some(segment) = here else { return Ok(Vec::new()) };
            let at = if segment.number == self.read.0 { self.read.1 } else { 0 };
            let (frames, next) = segment.read(at, limit)?;
            self.read = (segment.number, next);
            if frames.is_empty() {
                let is_last = self.segments.back().is_some_and(|last| last.number == self.read.0);
                if is_last {
                    return Ok(Vec::new());
                }
                self.read = (self.read.0 + 1, 0);
                continue;
            }
            let drained = self.cursor.drained;
            let left = frames.into_iter().filter(|(at, _)| *at > drained);
            let left: Vec<_> = left.map(|(at, event)| (at, Arc::new(event))).collect();
            if !left.is_empty() {
                return Ok(left);
            }
        }
    }

    /// Reads again from the first that is not drained.
    pub fn rewind(&mut self) {
        self.read = self.segments.front().map_or(self.read, |first| (first.number, 0));
    }

    /// Everything up to here is where it was meant for: forgets it, and frees what nothing else needs.
    ///
    /// # Errors
    /// [`SpoolError::Disk`].
    pub fn drained(&mut self, upto: LogPosition) -> Result<(), SpoolError> {
        if upto <= self.cursor.drained {
            return Ok(());
        }
        self.cursor.drained = upto;
        // Losing this line costs sending again what is known by its number.
        self.cursor.store(&self.dir, false).map_err(on(&self.dir))?;
        self.forget()
    }

    /// Removes segments that are drained to their end.
    fn forget(&mut self) -> Result<(), SpoolError> {
        while let Some(first) = self.segments.front() {
            if first.last > self.cursor.drained {
                break;
            }
            std::fs::remove_file(&first.path).map_err(on(&first.path))?;
            self.spool.freed(first.bytes);
            self.read = self.read.max((first.number + 1, 0));
            self.segments.pop_front();
            if self.segments.is_empty() {
                self.writer = None;
            }
        }
        Ok(())
    }
}
