//! The stream in Redis (≥ 7, one server or a cluster): any number of nodes append, read and listen.
//!
//! ```text
//!   append ──▶ writer of its server ────▶ append.lua ─┬─▶ log ──▶ relay, archive ──▶ SQL ──▶ trim
//!                                                      ├─▶ recent log ──▶ read, with SQL below it
//!                                                      └─▶ channel ──▶ hub of every node ──▶ tails
//! ```
//! One script de-duplicates, numbers, keeps and publishes; its reply is the durable point. How durable that is, is the
//! server's setting: with `appendfsync always` an append survives power loss, with `everysec` any crash of a process.
//! A command without an answer is asked again with the same key, inside a bound; then the caller is told that nobody
//! knows. At `maxmemory` nothing is evicted (`noeviction`) and appends are refused as [`AppendError::Full`].
//!
//! What SQL has may leave Redis: logs are trimmed by whoever writes SQL (`logs.rs`), recent logs are cut by the
//! script, conversations at rest are forgotten by `sweep`. [`Older`] is how to get at it then.
//!
//! It does not create, fail over or repair servers, and knows nothing of the journal.

mod facts;
mod keys;
mod link;
mod live;
mod logs;
mod script;
mod sweep;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

pub use facts::Facts;

use self::keys::Keys;
use self::link::{Failure, Link, Server};
use self::live::{Hub, Place};
use self::script::Programs;
use self::writer::{Held, Job, Waiting, Writer};
use super::{
    AppendError, LogPosition, Older, OpenError, ReadError, Receipt, Signal, Signals, Stream, Tail,
    Told, record,
};
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{ConversationId, Seq};
use crate::domain::partition;
use crate::runtime::{self, Clock};

/// How the stream in Redis is reached, and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`; several are members of one cluster.
    pub urls: Vec<String>,
    /// What every key begins with: installations that share a server differ in it.
    pub prefix: String,
    /// How many partitions; never changed.
    pub partitions: u16,
    /// How long one command may take until its connection is in doubt.
    pub command_timeout: Duration,
    /// How long an append is tried.
    pub append_timeout: Duration,
    /// Appends that may wait; one more is [`AppendError::Overloaded`].
    pub queue: usize,
    /// Bytes that may wait.
    pub queue_bytes: usize,
    /// Most events in one script: the server does nothing else meanwhile.
    pub batch: usize,
    /// Most bytes in one script.
    pub batch_bytes: usize,
    /// Events of a conversation that stay in its recent log when SQL has them.
    pub recent: usize,
    /// A conversation in which nothing happened for so long is forgotten when SQL has it whole.
    pub idle: Duration,
    /// Batches a tail may be behind before this node's live delivery waits for it.
    pub tail: usize,
}

impl RedisConfig {
    /// How long what SQL said of a conversation at rest may be believed: nothing that was touched meanwhile is
    /// forgotten before.
    fn believed(&self) -> Duration {
        (self.idle / 2).clamp(Duration::from_secs(1), Duration::from_secs(60))
    }
}

/// What all tasks of the adapter share.
struct Shared {
    config: RedisConfig,
    link: Link,
    programs: Programs,
    /// Of each partition.
    keys: Vec<Keys>,
    older: Arc<dyn Older>,
    clock: Clock,
    tails: Mutex<Vec<mpsc::Sender<Told>>>,
    /// Of each partition: something was appended.
    appended: Vec<Notify>,
    /// The ear must subscribe again.
    deaf: Notify,
    /// The channel of signals, and who hears them.
    signals: (String, broadcast::Sender<Signal>),
}

/// An entry of a Redis stream: its id, then the name and the value of its one field.
type Entry = (String, (String, Vec<u8>));

/// A look at a log.
struct Seen {
    end: Place,
    lines: Vec<(LogPosition, Vec<u8>)>,
}

impl Shared {
    /// To every tail, waiting for slow ones; those whose reader is gone are forgotten.
    async fn tell(&self, told: Told) {
        let tails = self.tails.lock().clone();
        let mut closed = false;
        for tail in &tails {
            closed |= tail.send(told.clone()).await.is_err();
        }
        if closed {
            self.tails.lock().retain(|tail| !tail.is_closed());
        }
    }

    async fn look(
        &self,
        partition: usize,
        after: LogPosition,
        limit: usize,
    ) -> Result<Seen, ReadError> {
        let keys = &self.keys[partition];
        let arguments = [format!("({after}"), limit.to_string()];
        let look = &self.programs.look;
        let (end, lines): (String, Vec<Entry>) =
            look.run(&self.link, &[&keys.log, &keys.end], &arguments).await.map_err(unread)?;
        let line = |(at, (_, line)): Entry| Ok((position(&at)?, line));
        let lines = lines.into_iter().map(line).collect::<Result<_, _>>()?;
        Ok(Seen { end: end.parse()?, lines })
    }

    fn keys_of(&self, conversation: ConversationId) -> (usize, &Keys) {
        let partition = usize::from(partition::of(conversation, self.config.partitions));
        (partition, &self.keys[partition])
    }
}

/// The adapter.
pub(super) struct Redis {
    shared: Arc<Shared>,
    /// Of each writer. The writers end when these are gone and everything accepted is answered.
    queues: Vec<mpsc::Sender<Job>>,
    waiting: Arc<Waiting>,
    _live: [AbortOnDropHandle<()>; 4],
}

impl Redis {
    /// Connects, checks that the server will do, and subscribes.
    pub(super) async fn open(
        config: RedisConfig,
        older: Arc<dyn Older>,
        clock: Clock,
    ) -> Result<(Self, Signals), OpenError> {
        let server = Server::find(&config.urls, config.command_timeout).await.map_err(unusable)?;
        let link = Link::new(server);
        let facts = Facts::ask(&link).await.map_err(unusable)?;
        facts.check().map_err(OpenError::Redis)?;
        settle_partitions(&link, &config).await?;
        let partitions = 0..config.partitions;
        let keys: Vec<_> = partitions.map(|number| Keys::new(&config.prefix, number)).collect();
        let node = u64::from_le_bytes(runtime::random_bytes());
        let (signals, carrier) = Signals::new(node);
        let shared = Arc::new(Shared {
            appended: keys.iter().map(|_| Notify::new()).collect(),
            link,
            programs: Programs::new(),
            keys,
            older,
            clock,
            tails: Mutex::default(),
            deaf: Notify::new(),
            signals: (keys::signals(&config.prefix), carrier.ears()),
            config,
        });
        let (sender, heard) = mpsc::channel(live::HEARD);
        let mut queues = Vec::new();
        let writers = if shared.link.server.is_cluster() { shared.keys.len() } else { 1 };
        for _ in 0..writers {
            let (queue, jobs) = mpsc::channel(shared.config.queue.max(1));
            runtime::spawn(Writer::new(Arc::clone(&shared), jobs, sender.clone()).run());
            queues.push(queue);
        }
        let (ready, known) = oneshot::channel();
        let live = [
            runtime::spawn(live::listen(Arc::clone(&shared), sender)),
            runtime::spawn(Hub::new(Arc::clone(&shared), ready).run(heard)),
            runtime::spawn(sweep::run(Arc::clone(&shared))),
            runtime::spawn(live::signal(Arc::clone(&shared), carrier)),
        ]
        .map(AbortOnDropHandle::new);
        let patience = shared.config.command_timeout * 3;
        if !matches!(timeout(patience, known).await, Ok(Ok(()))) {
            return Err(OpenError::Redis(format!("it did not let us subscribe in {patience:?}")));
        }
        Ok((Self { shared, queues, waiting: Arc::default(), _live: live }, signals))
    }
}

/// How many partitions there are is decided once: data is where that number puts it.
async fn settle_partitions(link: &Link, config: &RedisConfig) -> Result<(), OpenError> {
    let key = keys::partitions(&config.prefix);
    let mut first = redis::cmd("SET");
    first.arg(&key).arg(config.partitions).arg("NX");
    let _was_it: Option<String> = link.run(&first).await.map_err(unusable)?;
    let found: u16 = link.run(redis::cmd("GET").arg(&key)).await.map_err(unusable)?;
    if found == config.partitions {
        return Ok(());
    }
    Err(OpenError::Redis(format!(
        "its data under the prefix {:?} is in {found} partitions, not {}: their number never changes",
        config.prefix, config.partitions
    )))
}

#[async_trait]
impl Stream for Redis {
    async fn append(&self, event: NewEvent) -> Result<Receipt, AppendError> {
        let rest = record::rest(&event)
            .map_err(|why| AppendError::Unavailable(format!("cannot write the event: {why}")))?;
        let config = &self.shared.config;
        let held = Held::take(&self.waiting, rest.len(), [config.queue, config.queue_bytes])
            .ok_or(AppendError::Overloaded)?;
        let (partition, _) = self.shared.keys_of(event.conversation);
        let (job, reply) = Job::new(event, rest, held, config.append_timeout);
        self.queues[partition % self.queues.len()]
            .try_send(job)
            .map_err(|_| AppendError::Overloaded)?;
        let stopped = |_| Err(AppendError::Unavailable("its writer has stopped".into()));
        reply.await.unwrap_or_else(stopped)
    }

    async fn read(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        if limit == 0 || after == Seq::MAX {
            return Ok(Vec::new());
        }
        let recent = self.recent(conversation, after, limit).await?;
        let first = recent.first().map(|event| event.seq);
        if first == Some(after + 1) {
            return Ok(recent);
        }
        if first.is_none() && self.known_head(conversation).await?.is_some_and(|head| head <= after)
        {
            return Ok(recent);
        }
        // Asked after Redis was: what left it meanwhile is in SQL.
        let mut events = self.shared.older.events(conversation, after, limit).await?;
        let next = events.last().map_or(after, |event| event.seq) + 1;
        events.extend(recent.into_iter().skip_while(|event| event.seq < next));
        events.truncate(limit);
        // Never a page with a hole: its reader would take what comes after for what is next.
        let dense = events.iter().zip(after + 1..).take_while(|(event, seq)| event.seq == *seq);
        let dense = dense.count();
        if dense < events.len() {
            let missing = after + 1 + dense as u64;
            tracing::error!(%conversation, missing, "neither Redis nor SQL has an event");
            if dense == 0 {
                return Err(ReadError(format!(
                    "event {missing} of conversation {conversation} is missing"
                )));
            }
            events.truncate(dense);
        }
        Ok(events)
    }

    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError> {
        match self.known_head(conversation).await? {
            Some(head) => Ok(head),
            None => self.shared.older.head(conversation).await,
        }
    }

    async fn warm(&self) -> Result<(), ReadError> {
        self.shared.programs.load(&self.shared.link).await.map_err(unread)?;
        // Each partition once: of a cluster that opens the way to every master.
        let looks = (0..self.shared.keys.len()).map(|partition| {
            let nothing = LogPosition { ms: u64::MAX, n: 0 };
            self.shared.look(partition, nothing, 1)
        });
        try_join_all(looks).await.map(drop)
    }

    fn tail(&self) -> Tail {
        let (tail, told) = mpsc::channel(self.shared.config.tail.max(1));
        self.shared.tails.lock().push(tail);
        told
    }
}

impl Redis {
    /// The last `seq` of a conversation that Redis knows.
    async fn known_head(&self, conversation: ConversationId) -> Result<Option<Seq>, ReadError> {
        let (_, keys) = self.shared.keys_of(conversation);
        let mut command = redis::cmd("HGET");
        command.arg(keys.hash(conversation)).arg("head");
        self.shared.link.run(&command).await.map_err(unread)
    }

    /// What the recent log has after a `seq`.
    async fn recent(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        let (_, keys) = self.shared.keys_of(conversation);
        let mut command = redis::cmd("XRANGE");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        command.arg(keys.recent(conversation)).arg(format!("{}-0", after + 1)).arg("+");
        command.arg("COUNT").arg(limit);
        let lines: Vec<Entry> = self.shared.link.run(&command).await.map_err(unread)?;
        let event = |(seq, (_, line)): Entry| {
            let named =
                |why| ReadError(format!("event {seq} of conversation {conversation}: {why}"));
            record::event(&line).map(Arc::new).map_err(named)
        };
        lines.into_iter().map(event).collect()
    }
}

fn position(text: &str) -> Result<LogPosition, ReadError> {
    text.parse().map_err(|_| ReadError(format!("{text:?} is not a position")))
}

fn unread(failure: Failure) -> ReadError {
    ReadError(failure.to_string())
}

fn unusable(failure: Failure) -> OpenError {
    OpenError::Redis(failure.to_string())
}
