//! The cursor: under which lease a queue was last written, and up to where it is drained. One line in a file that is
//! replaced whole; without a readable one nothing is known, which costs a refill.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::stream::LogPosition;

const FORMAT: &str = "kefu-spool-cursor-1";

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// 0: nobody's.
    pub(super) epoch: u64,
    pub(super) drained: LogPosition,
}

impl Cursor {
    pub(super) fn load(dir: &Path) -> Self {
        let line = fs::read_to_string(dir.join("cursor")).unwrap_or_default();
        let mut words = line.split_whitespace();
        let mut read = || {
            let known = words.next()? == FORMAT;
            let epoch = words.next()?.parse().ok()?;
            let drained = words.next()?.parse().ok()?;
            known.then_some(Self { epoch, drained })
        };
        read().unwrap_or_default()
    }

    /// `durable`: also after a power cut.
    pub(super) fn store(self, dir: &Path, durable: bool) -> io::Result<()> {
        let (new, path) = (dir.join("cursor.new"), dir.join("cursor"));
        let mut file = File::create(&new)?;
        writeln!(file, "{FORMAT} {} {}", self.epoch, self.drained)?;
        if durable {
            file.sync_data()?;
        }
        fs::rename(&new, &path)?;
        if durable {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }
}
