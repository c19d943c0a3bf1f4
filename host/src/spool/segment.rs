//! Segments: files of frames behind a header, numbered in the order they were begun. Only the last one is written to.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::frame::{self, Found};
use super::{SpoolError, on};
use crate::domain::event::Event;
use crate::stream::LogPosition;

/// The first bytes of every segment; the digit is the format.
const HEADER: &[u8; 8] = b"kefuspl1";

/// One segment and what is known of it.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    /// Bytes that count: behind them nothing is read.
    pub(super) bytes: u64,
    /// The last position in it.
    pub(super) last: LogPosition,
}

/// Number, path and length of the segments in a folder, in order.
pub(super) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf, u64)>, SpoolError> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir).map_err(on(dir))?.flatten() {
        let path = file.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".seg"));
        let Some(number) = number.and_then(|number| number.parse().ok()) else { continue };
        let bytes = file.metadata().map_err(on(&path))?.len();
        found.push((number, path, bytes));
    }
    found.sort();
    Ok(found)
}

impl Segment {
    /// A new, empty one; its name is durable when this returns.
    pub(super) fn create(dir: &Path, number: u64) -> std::io::Result<(Self, File)> {
        let path = dir.join(format!("{number:010}.seg"));
        let mut file = File::options().create(true).truncate(true).write(true).open(&path)?;
        file.write_all(HEADER)?;
        file.sync_data()?;
        File::open(dir)?.sync_all()?;
        let bytes = HEADER.len() as u64;
        Ok((Self { number, path, bytes, last: LogPosition::START }, file))
    }

    /// One that is there, looked through. A torn end is cut off where it may be: in the last one.
    pub(super) fn check(number: u64, path: PathBuf, is_last: bool) -> Result<Self, SpoolError> {
        let bytes = fs::read(&path).map_err(on(&path))?;
        let damaged = |what: &str| SpoolError::Damaged(format!("{} {what}", path.display()));
        if !bytes.starts_with(HEADER) {
            // Begun, and then the power went: the first bytes never came to be.
            return match is_last && bytes.len() < HEADER.len() {
                true => Ok(Self { number, path, bytes: 0, last: LogPosition::START }),
                false => Err(damaged("is not a segment of format 1")),
            };
        }
        let (mut at, mut last) = (HEADER.len(), LogPosition::START);
        loop {
            match frame::read(&bytes, at) {
                Found::Frame(position, _, next) => (at, last) = (next, position),
                Found::End => break,
                Found::Broken if is_last && torn(&bytes, at) => {
                    tracing::warn!(path = %path.display(), at, "the spool's torn end is cut off");
                    let file = File::options().write(true).open(&path).map_err(on(&path))?;
                    file.set_len(at as u64).and_then(|()| file.sync_all()).map_err(on(&path))?;
                    break;
                }
                Found::Broken => return Err(damaged(&format!("has no frame at byte {at}"))),
            }
        }
        Ok(Self { number, path, bytes: at as u64, last })
    }

    /// For writing at its end.
    pub(super) fn reopen(&self) -> std::io::Result<File> {
        let mut file = File::options().write(true).open(&self.path)?;
        file.set_len(self.bytes)?;
        file.seek(SeekFrom::Start(self.bytes))?;
        Ok(file)
    }

    /// Up to `limit` frames from byte `at` (0: the first), and the byte after them.
    pub(super) fn read(
        &self,
        at: u64,
        limit: usize,
    ) -> Result<(Vec<(LogPosition, Event)>, u64), SpoolError> {
        /// Read at once: some hundred frames.
        const CHUNK: u64 = 256 << 10;
        let begin = at.max(HEADER.len() as u64);
        let mut file = File::open(&self.path).map_err(on(&self.path))?;
        file.seek(SeekFrom::Start(begin)).map_err(on(&self.path))?;
        let mut want = CHUNK.min(self.bytes.saturating_sub(begin));
        let mut bytes = Vec::with_capacity(want as usize);
        loop {
            let more = want - bytes.len() as u64;
            Read::by_ref(&mut file).take(more).read_to_end(&mut bytes).map_err(on(&self.path))?;
            let (frames, next) = frames(&bytes, limit);
            if !frames.is_empty() || begin + want >= self.bytes {
                if frames.is_empty() && begin < self.bytes {
                    let what = format!("{} has no frame at byte {begin}", self.path.display());
                    return Err(SpoolError::Damaged(what));
                }
                return Ok((frames, begin + next as u64));
            }
            // One frame is longer than the chunk.
            want = (want * 8).min(self.bytes - begin);
        }
    }
}

fn frames(bytes: &[u8], limit: usize) -> (Vec<(LogPosition, Event)>, usize) {
    let (mut found, mut at) = (Vec::new(), 0);
    while found.len() < limit {
        let Found::Frame(position, event, next) = frame::read(bytes, at) else { break };
        found.push((position, event));
        at = next;
    }
    (found, at)
}

/// A write that was cut short leaves nothing whole behind it. A whole frame further on means that the damage came later.
fn torn(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.len() - at;
    !(1..rest).any(|further| matches!(frame::read(bytes, at + further), Found::Frame(..)))
}
