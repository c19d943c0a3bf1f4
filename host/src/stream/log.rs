//! The partition logs: what the relay (or, without a journal, the archive) reads on the road to SQL. Only a stream that
//! is not itself the archive has them. It does not know who reads it or where what is read goes: only whose turn it is.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::ReadError;
use crate::domain::event::Event;

/// A place in one partition's log: given by the stream, growing with every event, never given twice, not even by a
/// server that lost the end of its data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// When the event was appended, by the stream's clock; it does not run backwards.
    pub ms: u64,
    /// Which one in that millisecond.
    pub n: u64,
}

impl LogPosition {
    /// Before the first event.
    pub const START: Self = Self { ms: 0, n: 0 };
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.n)
    }
}

/// Text that is not `ms-n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position is two decimal numbers, as 1764033600000-7")]
pub struct BadPosition;

impl FromStr for LogPosition {
    type Err = BadPosition;
    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (ms, n) = text.split_once('-').ok_or(BadPosition)?;
        let number = |digits: &str| digits.parse().map_err(|_| BadPosition);
        Ok(Self { ms: number(ms)?, n: number(n)? })
    }
}

/// The right to act on a partition in one role. It runs out by itself; whoever takes it next has a greater epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which partition.
    pub partition: u16,
    /// As what, as `relay`.
    pub role: Arc<str>,
    /// Who: a name that no other process, and no earlier run of this one, has.
    pub owner: Arc<str>,
    /// Grows with every taking over and after every running out, also over a stream that lost all its data: what an
    /// older epoch did may be told from what this one does.
    pub epoch: u64,
}

/// Why nothing was trimmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrimError {
    /// Someone else has the partition now: stop acting on it.
    #[error("the lease was lost")]
    LeaseLost,
    /// The stream did not answer; it is unknown whether it was done, and harmless to repeat.
    #[error(transparent)]
    Unavailable(#[from] ReadError),
}

/// The seam.
#[async_trait]
pub trait Log: Send + Sync {
    /// How many partitions there are; `domain::partition::of` says which is whose.
    fn partitions(&self) -> u16;

    /// Up to `limit` events after a position, in order.
    async fn log(
        &self,
        partition: u16,
        after: LogPosition,
        limit: usize,
    ) -> Result<Vec<(LogPosition, Arc<Event>)>, ReadError>;

    /// The last position given, also when everything was trimmed; [`LogPosition::START`] when none was.
    async fn log_end(&self, partition: u16) -> Result<LogPosition, ReadError>;

    /// Up to where the log was trimmed: everything after it is there. [`LogPosition::START`] when it never was.
    async fn trimmed(&self, partition: u16) -> Result<LogPosition, ReadError>;

    /// Removes what is at or below `upto`, for good: only what SQL has committed may be named.
    async fn trim(&self, lease: &Lease, upto: LogPosition) -> Result<(), TrimError>;

    /// Takes a free role of a partition, or renews one that this owner has, for `ttl` from now. `None`: someone else
    /// has it.
    async fn lease(
        &self,
        partition: u16,
        role: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, ReadError>;

    /// Gives a lease back before it runs out. What is not reached runs out.
    async fn release(&self, lease: Lease);

    /// Wakes when something may have been appended to the partition, by any node, since the last call returned. For one
    /// waiter per partition and process; wake-ups may be lost, so wait with a time limit too.
    async fn appended(&self, partition: u16);
}

#[cfg(test)]
mod tests;
