//! The gate in front of the archive's queue, one per partition: events come in from the journal and, while that is away
//! or absent, from the stream's log, also from both at once, and go on once and in the log's order. Pure.
//!
//! Each way by itself gives everything after where it began, in order, and both began at or before what SQL had; so
//! what is above the last one let through is always the next one. What would break that is a way that skips: the journal
//! skips when Kafka threw away what was not read yet. Its offsets tell, and then the log is read instead.

use crate::stream::LogPosition;

/// See the module.
#[derive(Debug)]
pub(in crate::pipeline) struct Gate {
    /// The last one let through.
    queued: LogPosition,
    /// The journal's next offset; `None`: it is read from its beginning.
    next: Option<i64>,
    /// The journal skipped.
    astray: bool,
}

impl Gate {
    /// SQL has everything up to `committed`, and the journal is read from `next`.
    pub(in crate::pipeline) fn new(committed: LogPosition, next: Option<i64>) -> Self {
        Self { queued: committed, next, astray: false }
    }

    pub(in crate::pipeline) fn queued(&self) -> LogPosition {
        self.queued
    }

    /// The journal cannot be trusted to give everything.
    pub(in crate::pipeline) fn is_astray(&self) -> bool {
        self.astray
    }

    /// Whether an entry of the journal follows the ones before it.
    pub(super) fn follows(&mut self, offset: i64) -> bool {
        self.astray = self.next.is_some_and(|next| offset > next);
        if !self.astray {
            self.next = Some(offset + 1);
        }
        !self.astray
    }

    /// Whether an event is the next one; then it counts as let through.
    pub(super) fn pass(&mut self, at: LogPosition) -> bool {
        let is_next = at > self.queued;
        if is_next {
            self.queued = at;
        }
        is_next
    }
}

#[cfg(test)]
mod tests;
