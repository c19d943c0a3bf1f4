//! Where a new owner begins, and which way a partition goes: the decisions of the relay, pure.
//!
//! A new owner knows up to where the journal has the partition's log (`journalled`; not while Kafka is away), up to where
//! SQL has it (`committed`), up to where the log was `trimmed` (never beyond `committed`), and what its own disk still
//! spools.

use super::liveness::Liveness;
use crate::journal::End;
use crate::stream::LogPosition;

/// Which way a partition's events go to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// From the log to Kafka.
    Direct,
    /// From the log to the spool, and from there to Kafka as far as that takes them.
    Spool,
}

/// What a new owner finds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// `None`: Kafka does not say.
    pub(super) journalled: Option<LogPosition>,
    /// The lease's epoch.
    pub(super) epoch: u64,
    /// The epoch of the owner before; 0: none is known.
    pub(super) before: u64,
    /// Under which epoch the spool was last written.
    pub(super) spool_epoch: u64,
    /// The spool's last position.
    pub(super) spool_end: LogPosition,
    /// Nothing is in the spool.
    pub(super) spool_empty: bool,
}

/// How it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) mode: Mode,
    /// The spool goes on from what it has; otherwise it is cleared: someone else has gone on in between.
    pub(super) keeps_spool: bool,
    /// The log is read after this.
    pub(super) cursor: LogPosition,
}

/// See [`Begin`].
pub(super) fn begin(found: Found) -> Begin {
    // A run of ours that ended and began again, with no owner in between, finds in its spool all that is not journalled.
    let own = found.spool_epoch == found.epoch || found.spool_epoch == found.before;
    if found.spool_epoch != 0 && own && !found.spool_empty {
        let cursor = found.spool_end.max(found.journalled.unwrap_or_default());
        return Begin { mode: Mode::Spool, keeps_spool: true, cursor };
    }
    let (mode, cursor) = match found.journalled {
        Some(known) => (Mode::Direct, known),
        // What of the log is journalled is known only later: all of it is spooled, and passed over then.
        None => (Mode::Spool, LogPosition::START),
    };
    Begin { mode, keeps_spool: false, cursor }
}

/// Up to where the journal has a partition, by what stands at its end. `begin`: where SQL was when the journal was first
/// turned on. What expired was there, and what came since nobody can tell: it goes on where SQL is.
pub(super) fn journalled(end: End, begin: LogPosition, committed: LogPosition) -> LogPosition {
    match end {
        End::Stamp(stamp) => stamp.position,
        End::New => begin,
        End::Expired => committed,
    }
}

/// What only SQL has any more: the log was trimmed further than the journal got, because the owner before spooled it and
/// its disk is not here.
pub(super) fn gap(
    journalled: LogPosition,
    trimmed: LogPosition,
    keeps_spool: bool,
) -> Option<(LogPosition, LogPosition)> {
    (!keeps_spool && journalled < trimmed).then_some((journalled, trimmed))
}

/// What a look at the lane and the spool calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Go on as it is.
    Go,
    /// Everything that has not landed is read from the log again, into the spool, before anything newer.
    EnterSpool,
    /// The spool has nothing left, and the log goes on where it ended.
    LeaveSpool,
    /// One record of the spool, to see whether it lands.
    Canary,
    /// As many records of the spool as the lane takes.
    Drain,
}

/// See [`Next`]. `waiting`: records on their way.
pub(super) fn next(mode: Mode, liveness: Liveness, spool_empty: bool, waiting: usize) -> Next {
    match (mode, liveness.is_up()) {
        (Mode::Direct, true) => Next::Go,
        (Mode::Direct, false) => Next::EnterSpool,
        (Mode::Spool, true) if spool_empty && waiting == 0 => Next::LeaveSpool,
        (Mode::Spool, true) => Next::Drain,
        (Mode::Spool, false) if waiting == 0 => Next::Canary,
        (Mode::Spool, false) => Next::Go,
    }
}

#[cfg(test)]
mod tests;
