//! Reading the topic: a thread that follows the partitions it was given and hands their entries over in batches, and the
//! look at a partition's end that a new owner begins with. No consumer group and no committed offsets: offsets live
//! where the rows do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::mpsc;

use super::topic::PATIENCE;
use super::{away, client, unusable};
use crate::journal::record::{self, BadRecord, Headers};
use crate::journal::{End, Entry, JournalError, JournalSettings, Stamp};

/// Entries handed over at once.
const BATCH: usize = 512;
/// Batches that may wait for whoever reads.
const BATCHES: usize = 4;
/// How long the thread waits for a record before it looks whether it is still wanted.
const WAIT: Duration = Duration::from_millis(100);
/// Records at a partition's end that are looked at first.
const END: i64 = 256;

/// Librdkafka's words go to the debug log: whoever acts on an outage says it once.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(facility, text, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka client");
    }
}

impl ConsumerContext for Quiet {}

/// Follows partitions. Whoever does not take the batches holds it up.
pub struct Reader {
    topic: String,
    consumer: Arc<BaseConsumer<Quiet>>,
    batches: mpsc::Receiver<Vec<Entry>>,
    /// The other end of [`Follow`]s.
    ended: Arc<AtomicBool>,
}

/// What changes the partitions that a [`Reader`] follows.
#[derive(Clone)]
pub struct Follow {
    topic: String,
    consumer: Arc<BaseConsumer<Quiet>>,
}

impl Follow {
    /// From `offset` on; where Kafka does not have that (any more), from the first there is.
    pub fn from(&self, partition: u16, offset: Option<i64>) -> Result<(), JournalError> {
        let offset = offset.map_or(Offset::Beginning, Offset::Offset);
        let list = one(&self.topic, partition, offset)?;
        self.consumer.incremental_assign(&list).map_err(|e| away(&e))
    }

    /// Not any more.
    pub fn leave(&self, partition: u16) -> Result<(), JournalError> {
        let list = one(&self.topic, partition, Offset::Invalid)?;
        self.consumer.incremental_unassign(&list).map_err(|e| away(&e))
    }
}

impl Reader {
    pub(super) fn new(settings: &JournalSettings) -> Result<Self, JournalError> {
        let consumer: Arc<BaseConsumer<Quiet>> = Arc::new(consumer(settings)?);
        let (hand, batches) = mpsc::channel(BATCHES);
        let ended = Arc::new(AtomicBool::new(false));
        let follow = Follow { topic: settings.topic.clone(), consumer: consumer.clone() };
        let until = ended.clone();
        let read = move || read(&follow, &hand, &until);
        std::thread::Builder::new().name("kefu-journal".into()).spawn(read).map_err(|e| {
            JournalError::Settings { brokers: settings.brokers.clone(), why: e.to_string() }
        })?;
        Ok(Self { topic: settings.topic.clone(), consumer, batches, ended })
    }

    /// The way to change what is followed.
    #[must_use]
    pub fn follow(&self) -> Follow {
        Follow { topic: self.topic.clone(), consumer: self.consumer.clone() }
    }

    /// The next entries, in order per partition; `None` when the thread is gone.
    pub async fn next(&mut self) -> Option<Vec<Entry>> {
        self.batches.recv().await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// The thread.
fn read(follow: &Follow, hand: &mpsc::Sender<Vec<Entry>>, ended: &AtomicBool) {
    while !ended.load(Ordering::Acquire) {
        let mut batch = Vec::new();
        let mut wait = WAIT;
        while batch.len() < BATCH {
            match follow.consumer.poll(wait) {
                None => break,
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => tracing::debug!(%error, "the journal is not read"),
                Some(Ok(message)) => batch.extend(entry(follow, &message)),
            }
            wait = Duration::ZERO;
        }
        if !batch.is_empty() && hand.blocking_send(batch).is_err() {
            return;
        }
    }
}

/// A record as an entry. One that someone else wrote is passed over. One of ours that cannot be read ends the reading of
/// its partition: passing over it would lose an event.
fn entry(follow: &Follow, message: &BorrowedMessage<'_>) -> Option<Entry> {
    let (offset, partition) = (message.offset(), u16::try_from(message.partition()).ok()?);
    let read = stamp(message).and_then(|stamp| {
        let event = record::decode(message.payload().unwrap_or_default())?;
        Ok(Entry { partition, offset, stamp, event: Arc::new(event) })
    });
    match read {
        Ok(entry) => Some(entry),
        Err(BadRecord::Foreign) => None,
        Err(error) => {
            let topic = &follow.topic;
            tracing::error!(%error, %topic, partition, offset, "the partition is not read further");
            let _ended = follow.leave(partition);
            None
        }
    }
}

fn stamp(message: &BorrowedMessage<'_>) -> Result<Option<Stamp>, BadRecord> {
    let mut found = Headers::default();
    for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
        match header.key {
            record::FORMAT_HEADER => found.format = header.value,
            record::EPOCH_HEADER => found.epoch = header.value,
            record::POSITION_HEADER => found.position = header.value,
            _ => {}
        }
    }
    found.stamp()
}

/// See [`super::Journal::last`].
pub(super) fn last(
    settings: &JournalSettings,
    partition: u16,
    before: u64,
) -> Result<End, JournalError> {
    let consumer = consumer(settings)?;
    let bounds = consumer.fetch_watermarks(&settings.topic, i32::from(partition), PATIENCE);
    let (low, high) = bounds.map_err(|error| away(&error))?;
    if high <= 0 {
        return Ok(End::New);
    }
    let furthest = high.saturating_sub(settings.in_flight as i64).max(low);
    let mut from = (high - END).max(low);
    loop {
        let found = scan(&consumer, settings, partition, from..high)?;
        if from <= low || found.is_some_and(|stamp| stamp.epoch >= before || from <= furthest) {
            return Ok(found.map_or(End::Expired, End::Stamp));
        }
        // Nothing with a stamp is all republished: further back, eight times as far each time.
        from = (high - (high - from) * 8).max(if found.is_some() { furthest } else { low });
    }
}

/// The furthest position of the greatest epoch among some records.
fn scan(
    consumer: &BaseConsumer<Quiet>,
    settings: &JournalSettings,
    partition: u16,
    range: std::ops::Range<i64>,
) -> Result<Option<Stamp>, JournalError> {
    let list = one(&settings.topic, partition, Offset::Offset(range.start))?;
    consumer.assign(&list).map_err(|error| away(&error))?;
    let (mut found, mut at) = (None::<Stamp>, range.start);
    let mut deadline = Instant::now() + PATIENCE;
    while at < range.end {
        match consumer.poll(WAIT) {
            Some(Ok(message)) => {
                at = message.offset() + 1;
                deadline = Instant::now() + PATIENCE;
                let Ok(Some(next)) = stamp(&message) else { continue };
                let further = |old: Stamp| (next.epoch, next.position) > (old.epoch, old.position);
                if found.is_none_or(further) {
                    found = Some(next);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            _ if Instant::now() > deadline => {
                let why = format!("partition {partition} was read to {at} of {}", range.end);
                return Err(JournalError::Away(why));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn one(topic: &str, partition: u16, offset: Offset) -> Result<TopicPartitionList, JournalError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, i32::from(partition), offset).map_err(|e| away(&e))?;
    Ok(list)
}

fn consumer(settings: &JournalSettings) -> Result<BaseConsumer<Quiet>, JournalError> {
    let mut config = client(settings);
    config
        // Named because librdkafka wants a name; nobody joins it.
        .set("group.id", "kefu")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        // Few full answers rather than many small ones: each costs the broker far more than what is in it.
        .set("fetch.min.bytes", "65536")
        .set("fetch.wait.max.ms", "50")
        // Read ahead per partition: one batch is on its way while the one before is written.
        .set("queued.min.messages", "2000")
        .set("queued.max.messages.kbytes", "4096");
    config.create_with_context(Quiet).map_err(|error| unusable(settings, &error))
}
