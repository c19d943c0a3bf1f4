//! The journal on Kafka: one idempotent producer for all lanes of this process, whose delivery reports move each lane's
//! watermark; a topic that is checked before it is written to; readers that follow partitions from given offsets.
//!
//! ```text
//!   Lane::send ──▶ librdkafka's queue (bounded) ──▶ brokers ──▶ delivery report ──▶ Flight ──▶ Lane::state
//! ```
//!
//! `message.timeout.ms = 0`: a record is never given up while a broker is away, because giving one up would leave a gap
//! behind which the next ones land. So what was sent stays in memory, in order, and the bound on it is what refuses. A
//! record that can never be delivered, and a producer that lost its place with the broker (a *fatal* error), break the
//! lanes concerned: [`Journal::lane`] begins them anew, on a new producer where the old one is dead.
//!
//! No TLS and no SASL: librdkafka needs OpenSSL for both, which this program does not link yet.

mod examine;
mod reader;
mod topic;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;

use super::flight::Flight;
use super::{End, JournalError, JournalSettings, SendError, Stamp, record};
use crate::domain::event::Event;
use crate::domain::ids::Millis;
use crate::runtime::Clock;
use crate::stream::LogPosition;

pub use examine::{Examined, Topic, examine};
pub use reader::{Follow, Reader};

/// The journal.
pub struct Journal {
    settings: JournalSettings,
    clock: Clock,
    lanes: Arc<[Shared]>,
    producer: Mutex<Arc<ThreadedProducer<Reports>>>,
}

/// One lane as the reporting thread and its owner share it.
#[derive(Default)]
struct Shared {
    flight: Mutex<Flight>,
    moved: Notify,
}

/// The right to send into one partition. There is one at a time in a process; a new one ends the one before.
pub struct Lane {
    journal: Arc<Journal>,
    partition: u16,
}

/// A lane at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneState {
    /// Everything sent up to here is in the journal.
    pub landed: LogPosition,
    /// Records on their way.
    pub waiting: usize,
    /// How long the oldest of them has been.
    pub oldest_ms: Option<Millis>,
    /// Something it sent is lost; it takes nothing more.
    pub broken: bool,
}

impl Journal {
    /// A client; it waits for no broker.
    ///
    /// # Errors
    /// When the settings make no client.
    pub fn open(settings: JournalSettings, clock: Clock) -> Result<Arc<Self>, JournalError> {
        let lanes: Arc<[Shared]> =
            (0..settings.partitions).map(|_| Shared::default()).collect::<Vec<_>>().into();
        let producer = Mutex::new(producer(&settings, &lanes)?);
        Ok(Arc::new(Self { settings, clock, lanes, producer }))
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        self.settings.partitions
    }

    /// Makes sure that the topic is there and as it must be; creates it where it is missing. The producer knows the
    /// topic's leaders afterwards.
    ///
    /// # Errors
    /// [`JournalError::Away`] when nobody answers in time, [`JournalError::Partitions`] when it must not be used.
    pub async fn prepare(&self) -> Result<(), JournalError> {
        topic::prepare(&self.settings).await?;
        let (producer, name) = (self.producer.lock().clone(), self.settings.topic.clone());
        let known = tokio::task::spawn_blocking(move || {
            producer.client().fetch_metadata(Some(&name), topic::PATIENCE).map(drop)
        });
        known.await.map_err(|e| away(&e))?.map_err(|e| away(&e))
    }

    /// As [`Journal::prepare`], and everything else that the first record of a producer waits for: its number from the
    /// brokers, and connections to the leader of every partition. It asks them where they end and sends nothing: a
    /// record that is no event would stand in every reader's way for ever, kefu's own included.
    ///
    /// # Errors
    /// As [`Journal::prepare`].
    pub async fn warm(&self) -> Result<(), JournalError> {
        self.prepare().await?;
        let (producer, settings) = (self.producer.lock().clone(), self.settings.clone());
        let asked = tokio::task::spawn_blocking(move || {
            (0..i32::from(settings.partitions)).try_for_each(|partition| {
                let end =
                    producer.client().fetch_watermarks(&settings.topic, partition, topic::PATIENCE);
                end.map(drop).map_err(|e| away(&e))
            })
        });
        asked.await.map_err(|e| away(&e))?
    }

    /// Whether a broker answers. Asked again and again: it makes no client and no topic.
    pub async fn answers(&self, within: Duration) -> bool {
        let (producer, name) = (self.producer.lock().clone(), self.settings.topic.clone());
        let known = move || producer.client().fetch_metadata(Some(&name), within).is_ok();
        tokio::task::spawn_blocking(known).await.unwrap_or(false)
    }

    /// How far the partition's log is in the journal, by the stamps at its end. `before` is the epoch of the lease
    /// before this one: where no record at the end has it, it is searched further back, over as many records as an
    /// owner that lost its lease may have let go late.
    ///
    /// # Errors
    /// [`JournalError::Away`].
    pub async fn last(&self, partition: u16, before: u64) -> Result<End, JournalError> {
        let settings = self.settings.clone();
        let found = move || reader::last(&settings, partition, before);
        tokio::task::spawn_blocking(found).await.map_err(|e| away(&e))?
    }

    /// A new lane after what is in the journal already.
    ///
    /// # Errors
    /// When a dead producer cannot be replaced.
    pub fn lane(
        self: &Arc<Self>,
        partition: u16,
        landed: LogPosition,
    ) -> Result<Lane, JournalError> {
        let mut current = self.producer.lock();
        if current.client().fatal_error().is_some() {
            let dead = std::mem::replace(&mut *current, producer(&self.settings, &self.lanes)?);
            // Dropping waits for its thread and for reports on what it still had.
            std::thread::spawn(move || drop(dead));
        }
        drop(current);
        self.shared(partition).flight.lock().restart(landed);
        Ok(Lane { journal: self.clone(), partition })
    }

    /// Something that reads the topic.
    ///
    /// # Errors
    /// When the settings make no client.
    pub fn reader(&self) -> Result<Reader, JournalError> {
        Reader::new(&self.settings)
    }

    /// A record of an event that is old news: no stamp, no lane, no report. For `kefu journal republish`.
    ///
    /// # Errors
    /// [`SendError::Full`] asks to come again.
    pub fn republish(&self, partition: u16, event: &Event) -> Result<(), SendError> {
        let producer = self.producer.lock().clone();
        send(&producer, &self.settings.topic, partition, None, event, usize::MAX)
    }

    /// Waits until everything handed over has landed; `false` when it did not in time.
    pub async fn flush(&self, within: Duration) -> bool {
        let producer = self.producer.lock().clone();
        let flushed = tokio::task::spawn_blocking(move || producer.flush(within));
        matches!(flushed.await, Ok(Ok(())))
    }

    fn shared(&self, partition: u16) -> &Shared {
        &self.lanes[usize::from(partition) % self.lanes.len()]
    }
}

impl Lane {
    /// Hands one event over; it is in the journal when the lane's state says so.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&self, stamp: Stamp, event: &Event) -> Result<(), SendError> {
        let producer = self.journal.producer.lock().clone();
        let topic = &self.journal.settings.topic;
        // Locked over the hand-over: the report on this record waits until the window has it.
        let mut flight = self.journal.shared(self.partition).flight.lock();
        if let Some(why) = flight.failure() {
            return Err(SendError::Broken(why.to_owned()));
        }
        send(&producer, topic, self.partition, Some(stamp), event, flight.next())?;
        flight.sent(stamp.position, self.journal.clock.now());
        Ok(())
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> LaneState {
        let now = self.journal.clock.now();
        let flight = self.journal.shared(self.partition).flight.lock();
        LaneState {
            landed: flight.watermark(),
            waiting: flight.len(),
            oldest_ms: flight.oldest().map(|at| now.saturating_sub(at)),
            broken: flight.failure().is_some(),
        }
    }

    /// Wakes when the watermark has moved or the lane broke, since the last call returned.
    pub async fn moved(&self) {
        self.journal.shared(self.partition).moved.notified().await;
    }
}

fn send(
    producer: &ThreadedProducer<Reports>,
    topic: &str,
    partition: u16,
    stamp: Option<Stamp>,
    event: &Event,
    number: usize,
) -> Result<(), SendError> {
    let broken = |why: &dyn std::fmt::Display| SendError::Broken(why.to_string());
    let value = record::encode(event).map_err(|e| broken(&e))?;
    let key = event.conversation.to_string();
    let format = record::FORMAT.to_string();
    let mut headers = OwnedHeaders::new_with_capacity(3)
        .insert(Header { key: record::FORMAT_HEADER, value: Some(&format) });
    if let Some(Stamp { epoch, position }) = stamp {
        let (epoch, position) = (epoch.to_string(), position.to_string());
        headers = headers
            .insert(Header { key: record::EPOCH_HEADER, value: Some(&epoch) })
            .insert(Header { key: record::POSITION_HEADER, value: Some(&position) });
    }
    let record = BaseRecord::with_opaque_to(topic, number)
        .partition(i32::from(partition))
        .timestamp(event.at.cast_signed())
        .key(&key)
        .payload(&value)
        .headers(headers);
    match producer.send(record) {
        Ok(()) => Ok(()),
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
            Err(SendError::Full)
        }
        Err((why, _)) => Err(broken(&why)),
    }
}

/// What librdkafka tells: on its own thread.
struct Reports(Arc<[Shared]>);

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(facility, text, "librdkafka");
    }

    /// Repeated every two seconds while no broker answers; whoever owns a lane says it once.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka client");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let (message, failure) = match result {
            Ok(message) => (message, None),
            Err((error, message)) => (message, Some(error)),
        };
        let Some(lane) = usize::try_from(message.partition()).ok().and_then(|at| self.0.get(at))
        else {
            return;
        };
        let mut flight = lane.flight.lock();
        match failure {
            None if !flight.landed(number) => return,
            None => {}
            Some(error) => flight.failed(number, &error.to_string()),
        }
        drop(flight);
        lane.moved.notify_one();
    }
}

fn producer(
    settings: &JournalSettings,
    lanes: &Arc<[Shared]>,
) -> Result<Arc<ThreadedProducer<Reports>>, JournalError> {
    let mut config = client(settings);
    config
        .set("enable.idempotence", "true")
        // What cannot be delivered kills the producer rather than leave a gap.
        .set("enable.gapless.guarantee", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", settings.linger_ms.to_string())
        .set("message.timeout.ms", "0")
        .set("queue.buffering.max.messages", settings.in_flight.to_string())
        .set("queue.buffering.max.kbytes", settings.in_flight_kib.to_string());
    let made = config.create_with_context(Reports(lanes.clone()));
    made.map(Arc::new).map_err(|error| unusable(settings, &error))
}

/// What every client of this process has in common.
fn client(settings: &JournalSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", "kefu")
        .set("allow.auto.create.topics", "false")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        // A peer that vanished without closing is noticed within this, not after a minute.
        .set("socket.timeout.ms", "10000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true");
    config
}

fn unusable(settings: &JournalSettings, error: &KafkaError) -> JournalError {
    JournalError::Settings { brokers: settings.brokers.clone(), why: error.to_string() }
}

fn away(error: &dyn std::fmt::Display) -> JournalError {
    JournalError::Away(error.to_string())
}

#[cfg(test)]
mod tests;
