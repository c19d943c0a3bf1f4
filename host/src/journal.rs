//! The journal: the durable log that everything outside reads, one Kafka topic whose partitions are kefu's own. Second
//! tier; only [`crate::pipeline`] writes it, and whoever likes reads it (docs/JOURNAL.md).
//!
//! Promises:
//! - what a [`Lane`] says has landed is on all in-sync brokers, and so is everything sent before it;
//! - records of one lane are in the order they were sent, also over a broker's death;
//! - nothing here waits for a broker that is away but what says so: a lane holds a bounded number of records, and then
//!   refuses.
//!
//! It does not decide when Kafka counts as away, does not retry what a lane refused, and knows nothing of the spool.

mod flight;
mod kafka;
mod record;

use std::sync::Arc;

use crate::domain::event::Event;
use crate::stream::LogPosition;

pub use self::kafka::{
    Examined as JournalExamined, Follow, Journal, Lane, LaneState, Reader, Topic as JournalTopic,
    examine,
};

/// Where the journal is and what it may hold. The partitions' number is the cluster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// `host:port,host:port`.
    pub brokers: String,
    /// Its name.
    pub topic: String,
    /// How many partitions the topic has.
    pub partitions: u16,
    /// Copies of each partition, when the topic is made here; 0: as the brokers are configured.
    pub replication: u16,
    /// How long a record may wait for others to share a request with.
    pub linger_ms: u64,
    /// Records of all lanes that may be on their way; more are refused.
    pub in_flight: usize,
    /// The same in KiB.
    pub in_flight_kib: usize,
}

/// Whose record it is, and how far the partition's log is in the journal with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The lease under which it was written: greater with every change of owner.
    pub epoch: u64,
    /// Everything of the partition's log up to here is in the journal, in this record or before it.
    pub position: LogPosition,
}

/// What stands at the end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The stamp that goes furthest.
    Stamp(Stamp),
    /// No record with a stamp is left of those that were there.
    Expired,
    /// There never was a record.
    New,
}

/// One record as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which partition.
    pub partition: u16,
    /// Where in it, by Kafka's count.
    pub offset: i64,
    /// `None`: written by hand (`kefu journal republish`), not by the road.
    pub stamp: Option<Stamp>,
    /// What it tells.
    pub event: Arc<Event>,
}

/// Why the journal cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Its settings make no client.
    #[error("Kafka at {brokers} cannot be used: {why}")]
    Settings {
        /// As configured.
        brokers: String,
        /// Why.
        why: String,
    },
    /// The topic was made by someone else, for another number of partitions. Events would be written beside the ones
    /// they follow: nothing is.
    #[error(
        "the topic {topic} has {found} partitions, and cluster.partitions is {wanted}: name another \
         topic (kafka.topic), or the number the installation was begun with"
    )]
    Partitions {
        /// Which topic.
        topic: String,
        /// How many it has.
        found: usize,
        /// How many it must have.
        wanted: u16,
    },
    /// No answer, or none that helps; it may help to try again.
    #[error("Kafka takes nothing now: {0}")]
    Away(String),
}

/// Why a lane did not take a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// As many are on their way as may be: wait until some have landed.
    #[error("as many records are on their way to Kafka as may be")]
    Full,
    /// This lane is at its end: something it sent is lost. Begin again with a new one after what has landed.
    #[error("Kafka refused a record: {0}")]
    Broken(String),
}
