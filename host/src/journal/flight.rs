//! What is on its way in one lane: a window of records in the order they were sent, and the contiguous watermark of
//! what has landed. Pure: reports come in any order, the watermark moves only over what has no gap before it.
//!
//! ```text
//!   sent ──▶ [ landed | landed | under way | landed | under way ]
//!                       ▲ watermark          ▲ counts when the one before it has landed
//! ```

use std::collections::VecDeque;

use crate::domain::ids::Millis;
use crate::stream::LogPosition;

/// See the module. Numbers grow for ever, so that a report on an earlier lane's record is known as such.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// The number of the front.
    base: usize,
    window: VecDeque<Record>,
    landed: LogPosition,
    failed: Option<String>,
}

#[derive(Debug)]
struct Record {
    position: LogPosition,
    sent_at: Millis,
    done: bool,
}

impl Flight {
    /// Forgets what is under way; what is sent from now on follows `landed`.
    pub(super) fn restart(&mut self, landed: LogPosition) {
        self.base += self.window.len();
        self.window.clear();
        self.landed = landed;
        self.failed = None;
    }

    /// The number the next record has.
    pub(super) fn next(&self) -> usize {
        self.base.wrapping_add(self.window.len())
    }

    pub(super) fn sent(&mut self, position: LogPosition, sent_at: Millis) {
        self.window.push_back(Record { position, sent_at, done: false });
    }

    /// One has landed; `true` when the watermark moved.
    pub(super) fn landed(&mut self, number: usize) -> bool {
        let Some(record) = self.at(number) else { return false };
        record.done = true;
        let mut moved = false;
        while let Some(front) = self.window.front().filter(|front| front.done) {
            self.landed = front.position;
            self.window.pop_front();
            self.base = self.base.wrapping_add(1);
            moved = true;
        }
        moved
    }

    /// One is lost: the watermark stays before it.
    pub(super) fn failed(&mut self, number: usize, why: &str) {
        if self.at(number).is_some() && self.failed.is_none() {
            self.failed = Some(why.to_owned());
        }
    }

    fn at(&mut self, number: usize) -> Option<&mut Record> {
        self.window.get_mut(number.wrapping_sub(self.base))
    }

    /// The last position below which everything has landed.
    pub(super) fn watermark(&self) -> LogPosition {
        self.landed
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.window.len()
    }

    /// When the oldest of them was sent.
    pub(super) fn oldest(&self) -> Option<Millis> {
        self.window.front().map(|front| front.sent_at)
    }
}

#[cfg(test)]
mod tests;
