//! What the stages of one partition's road know of each other, and what figures are made from. It decides nothing.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::archive::Gate;
use super::relay::Mode;
use crate::stream::LogPosition;

/// One partition, while this node has it.
pub(super) struct Road {
    pub(super) partition: u16,
    /// Where SQL was when the journal was first turned on.
    pub(super) begin: LogPosition,
    /// The epoch of the owner before; 0: none is known.
    pub(super) before: u64,
    /// Up to where SQL had the log when this node took the partition.
    pub(super) taken: LogPosition,
    /// `None` without a journal: the archive then reads the log.
    pub(super) mode: watch::Sender<Option<Mode>>,
    /// The relay has read more of the log: the stream wakes one reader only.
    pub(super) appended: Notify,
    /// Held while an event is put into the archive's queue, so that two ways do not overtake each other.
    pub(super) gate: tokio::sync::Mutex<Gate>,
    facts: Mutex<Facts>,
}

/// What SQL knows of a partition.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// Up to where it has the log.
    pub(super) committed: LogPosition,
    /// The journal's offset it reads next.
    pub(super) next: Option<i64>,
    /// Where it was when the journal was first turned on.
    pub(super) begin: LogPosition,
    /// Under which epoch someone had it before; 0: nobody is known.
    pub(super) before: u64,
}

/// How far everything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Up to where the log is in the journal or in the spool; without a journal nothing has to be.
    pub(super) kept: LogPosition,
    /// Up to where SQL has it.
    pub(super) committed: LogPosition,
    /// Records on their way to Kafka.
    pub(super) on_the_way: usize,
    /// Bytes in the spool.
    pub(super) spooled: u64,
    /// The spool refuses.
    pub(super) spool_full: bool,
    /// Changes of mode since this node has the partition.
    pub(super) turns: u64,
}

impl Road {
    /// As a new owner finds it.
    pub(super) fn new(partition: u16, mode: Option<Mode>, known: Known) -> Arc<Self> {
        let Known { committed, next, begin, before } = known;
        Arc::new(Self {
            partition,
            begin,
            before,
            taken: committed,
            mode: watch::Sender::new(mode),
            appended: Notify::new(),
            gate: tokio::sync::Mutex::new(Gate::new(committed, next)),
            facts: Mutex::new(Facts { committed, ..Facts::default() }),
        })
    }

    pub(super) fn facts(&self) -> Facts {
        *self.facts.lock()
    }

    pub(super) fn note(&self, note: impl FnOnce(&mut Facts)) {
        note(&mut self.facts.lock());
    }

    /// How a new owner begins.
    pub(super) fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(Some(mode));
    }

    /// A change of mode on the way.
    pub(super) fn turn(&self, mode: Mode) {
        self.set_mode(mode);
        self.note(|facts| facts.turns += 1);
    }

    /// Up to where the log is needed by nobody: what SQL has, and the journal or the spool too where there is one.
    pub(super) fn needless(&self) -> LogPosition {
        let Facts { kept, committed, .. } = self.facts();
        if self.mode.borrow().is_some() { kept.min(committed) } else { committed }
    }
}
