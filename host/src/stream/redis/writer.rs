//! The writer: one task per server, the only one of this process that appends there. A cluster is asked per partition,
//! because a script touches one server: there each partition has a task of its own.
//!
//! ```text
//!   append ──▶ bounded queue ──▶ batch ──▶ append.lua ──▶ receipts
//!                  ▲                           │ "ask SQL"
//!                  └──── ready ◀── SQL ◀── cold┘        no answer: the same batch again, until its appends are too old
//! ```
//! What was appended is told to this node's hub together with the receipts; it need not wait for the channel.
//! One batch is under way at a time, so the appends of a conversation stay in the order in which they came, also when
//! a batch has to be sent twice. A task, not the caller, holds the command: a caller who leaves cancels nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Shared;
use super::link::Failure;
use super::live::{Appended, Heard, Place};
use crate::domain::event::NewEvent;
use crate::domain::ids::{ConversationId, Seq};
use crate::stream::{AppendError, LogPosition, Receipt, record};

/// Pauses between attempts: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

/// Conversations of which SQL is asked at the same time, by one writer.
const ASKING: usize = 8;

/// What waits, over all partitions.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    events: AtomicUsize,
    bytes: AtomicUsize,
}

/// One append's share of [`Waiting`].
#[derive(Debug)]
pub(super) struct Held {
    waiting: Arc<Waiting>,
    bytes: usize,
}

impl Held {
    /// Room for one more, or none.
    pub(super) fn take(waiting: &Arc<Waiting>, bytes: usize, most: [usize; 2]) -> Option<Self> {
        let events = waiting.events.fetch_add(1, Ordering::AcqRel);
        let before = waiting.bytes.fetch_add(bytes, Ordering::AcqRel);
        let held = Self { waiting: Arc::clone(waiting), bytes };
        let fits = events < most[0] && (before == 0 || before + bytes <= most[1]);
        fits.then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.waiting.events.fetch_sub(1, Ordering::AcqRel);
        self.waiting.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// One append on its way.
pub(super) struct Job {
    pub(super) event: NewEvent,
    /// Its record from the conversation on.
    pub(super) rest: Vec<u8>,
    /// The last `seq` that SQL has of the conversation, and until when that may be believed; SQL does not have this
    /// event.
    base: Option<(Seq, Instant)>,
    /// Then nobody waits for it any more.
    deadline: Instant,
    reply: oneshot::Sender<Result<Receipt, AppendError>>,
    _held: Held,
}

/// What becomes of a [`Job`].
pub(super) type Reply = oneshot::Receiver<Result<Receipt, AppendError>>;

impl Job {
    pub(super) fn new(
        event: NewEvent,
        rest: Vec<u8>,
        held: Held,
        within: Duration,
    ) -> (Self, Reply) {
        let (reply, told) = oneshot::channel();
        let deadline = Instant::now() + within;
        (Self { event, rest, base: None, deadline, reply, _held: held }, told)
    }

    fn answer(self, outcome: Result<Receipt, AppendError>) {
        drop(self.reply.send(outcome));
    }
}

/// What the script says.
struct Answer {
    /// Status, `seq` and `at` of each event.
    events: Vec<[u64; 3]>,
    /// Where the partitions of the batch end now.
    ends: Vec<(usize, Place)>,
}

/// The task's state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Job>,
    hub: mpsc::Sender<Heard>,
    /// What goes before the queue: SQL has been asked about it.
    ready: VecDeque<Job>,
    /// By conversation that SQL is being asked about: what came meanwhile, and goes after.
    cold: HashMap<ConversationId, Vec<Job>>,
    asking: JoinSet<(ConversationId, Vec<Job>)>,
    asks: Arc<Semaphore>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: mpsc::Receiver<Job>,
        hub: mpsc::Sender<Heard>,
    ) -> Self {
        Self {
            shared,
            queue,
            hub,
            ready: VecDeque::new(),
            cold: HashMap::new(),
            asking: JoinSet::new(),
            asks: Arc::new(Semaphore::new(ASKING)),
        }
    }

    /// Runs until every handle is gone and everything accepted has its answer.
    pub(super) async fn run(mut self) {
        let mut open = true;
        while open || !self.ready.is_empty() || !self.asking.is_empty() {
            if self.ready.is_empty() {
                tokio::select! {
                    Some(asked) = self.asking.join_next() => self.asked(asked),
                    job = self.queue.recv(), if open => match job {
                        Some(job) => self.ready.push_back(job),
                        None => open = false,
                    },
                }
            }
            while let Some(asked) = self.asking.try_join_next() {
                self.asked(asked);
            }
            let batch = self.batch();
            if !batch.is_empty() {
                self.write(batch).await;
            }
        }
    }

    /// What waits, up to the caps; what must wait for SQL is set aside.
    fn batch(&mut self) -> Vec<Job> {
        let config = &self.shared.config;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < config.batch && bytes < config.batch_bytes {
            let next = self.ready.pop_front().or_else(|| self.queue.try_recv().ok());
            let Some(job) = next else { break };
            match self.cold.get_mut(&job.event.conversation) {
                Some(after) => after.push(job),
                None => {
                    bytes += job.rest.len();
                    batch.push(job);
                }
            }
        }
        batch
    }

    /// One batch, sent until it has an answer or nobody waits for it any more.
    async fn write(&mut self, mut batch: Vec<Job>) {
        let mut pause = PAUSES[0];
        let mut why = String::from("it waited too long for its turn");
        loop {
            batch = in_time(batch, &why);
            if batch.is_empty() {
                return;
            }
            match self.send(&batch).await {
                Ok(answer) => return self.tell(batch, answer),
                Err(Failure::Full(place)) => {
                    return batch.into_iter().for_each(|job| {
                        job.answer(Err(AppendError::Full(place.clone())));
                    });
                }
                Err(Failure::Refused(why)) => {
                    tracing::error!(%why, "Redis refuses to append");
                    return batch.into_iter().for_each(|job| {
                        job.answer(Err(AppendError::Unavailable(why.clone())));
                    });
                }
                Err(failure) => why = failure.to_string(),
            }
            sleep(pause).await;
            pause = PAUSES[1].min(pause * 2);
        }
    }

    /// The script, once.
    async fn send(&self, batch: &[Job]) -> Result<Answer, Failure> {
        let (mut keys, mut of_conversations) = (Vec::new(), Vec::new());
        let (mut partitions, mut conversations) = (HashMap::new(), HashMap::new());
        let (mut channels, mut events) = (Vec::new(), Vec::with_capacity(batch.len() * 5));
        let now = Instant::now();
        for job in batch {
            let conversation = job.event.conversation;
            let (partition, names) = self.shared.keys_of(conversation);
            let next = partitions.len() + 1;
            let which = *partitions.entry(partition).or_insert_with(|| {
                keys.extend([names.log.clone(), names.end.clone(), names.idle.clone()]);
                channels.push(names.live.clone().into_bytes());
                next
            });
            let next = conversations.len() + 1;
            let number = *conversations.entry(conversation).or_insert_with(|| {
                of_conversations.extend([names.hash(conversation), names.recent(conversation)]);
                next
            });
            let field = format!("{}|{}", record::word(job.event.from), job.event.key);
            let base = job.base.filter(|(_, until)| now < *until);
            let base = base.map_or_else(String::new, |(seq, _)| seq.to_string());
            events.extend([which, number].map(|number| number.to_string().into_bytes()));
            events.extend([field.into_bytes(), base.into_bytes(), job.rest.clone()]);
        }
        keys.append(&mut of_conversations);
        let mut arguments = vec![
            record::FORMAT.to_string().into_bytes(),
            self.shared.config.recent.to_string().into_bytes(),
        ];
        arguments.push(partitions.len().to_string().into_bytes());
        arguments.append(&mut channels);
        arguments.append(&mut events);
        let numbers: Vec<u64> =
            self.shared.programs.append.run(&self.shared.link, &keys, &arguments).await?;
        let (threes, rest) = numbers.as_chunks();
        if threes.len() != batch.len() + partitions.len() || !rest.is_empty() {
            let (got, events) = (numbers.len(), batch.len());
            return Err(Failure::Refused(format!("{got} numbers in answer to {events} events")));
        }
        let (events, ends) = threes.split_at(batch.len());
        let end = |number: usize| {
            let [count, ms, n] = ends[number - 1];
            Place { count, at: LogPosition { ms, n } }
        };
        let ends = partitions.into_iter().map(|(partition, number)| (partition, end(number)));
        Ok(Answer { ends: ends.collect(), events: events.to_vec() })
    }

    fn tell(&mut self, batch: Vec<Job>, answer: Answer) {
        // None of these conversations is being asked about: its appends would not be in the batch.
        let mut cold: HashMap<ConversationId, Vec<Job>> = HashMap::new();
        let mut appended: HashMap<usize, Vec<_>> = HashMap::new();
        for (job, [status, seq, at]) in batch.into_iter().zip(answer.events) {
            match status {
                0 => {
                    let (partition, _) = self.shared.keys_of(job.event.conversation);
                    let Job { event, reply, .. } = job;
                    drop(reply.send(Ok(Receipt { seq, at, duplicate: false })));
                    appended.entry(partition).or_default().push(Arc::new(event.appended(seq, at)));
                }
                1 => job.answer(Ok(Receipt { seq, at, duplicate: true })),
                _ => cold.entry(job.event.conversation).or_default().push(job),
            }
        }
        for (partition, end) in answer.ends {
            let Some(events) = appended.remove(&partition) else { continue };
            // A hub without room hears it by the channel.
            drop(self.hub.try_send(Heard::Own { partition, appended: Appended { end, events } }));
        }
        for (conversation, jobs) in cold {
            self.cold.insert(conversation, Vec::new());
            let (shared, asks) = (Arc::clone(&self.shared), Arc::clone(&self.asks));
            self.asking.spawn(ask(shared, asks, conversation, jobs));
        }
    }

    /// SQL has been asked about a conversation: what is left of its appends goes first, then what came meanwhile.
    fn asked(&mut self, asked: Result<(ConversationId, Vec<Job>), tokio::task::JoinError>) {
        match asked {
            Ok((conversation, jobs)) => {
                self.ready.extend(jobs);
                self.ready.extend(self.cold.remove(&conversation).unwrap_or_default());
            }
            Err(error) => {
                // Nobody knows which one: what waits for it must not wait for ever, and asks for itself.
                tracing::error!(%error, "asking SQL about a conversation broke off");
                self.ready.extend(self.cold.drain().flat_map(|(_, jobs)| jobs));
            }
        }
    }
}

/// What is still waited for; the rest is told why it was not done.
fn in_time(batch: Vec<Job>, why: &str) -> Vec<Job> {
    let now = Instant::now();
    let (late, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(|job| job.deadline <= now);
    for job in late {
        job.answer(Err(AppendError::Unavailable(why.to_owned())));
    }
    rest
}

/// Asks SQL what it has of a conversation and of these appends; what it has is answered, the rest comes back.
async fn ask(
    shared: Arc<Shared>,
    asks: Arc<Semaphore>,
    conversation: ConversationId,
    jobs: Vec<Job>,
) -> (ConversationId, Vec<Job>) {
    let _turn = asks.acquire().await;
    // The sweeper forgets nothing that was touched lately, so what SQL says now holds for a while.
    let until = Instant::now() + shared.config.believed();
    let head = shared.older.head(conversation).await;
    let mut rest = Vec::new();
    for mut job in jobs {
        let base = match &head {
            Ok(0) => Ok((0, None)),
            Ok(head) => {
                let found = shared.older.receipt(conversation, job.event.from, &job.event.key);
                found.await.map(|found| (*head, found))
            }
            Err(why) => Err(why.clone()),
        };
        match base {
            Ok((_, Some((seq, at)))) => job.answer(Ok(Receipt { seq, at, duplicate: true })),
            Ok((head, None)) => {
                job.base = Some((head, until));
                rest.push(job);
            }
            Err(why) => job.answer(Err(AppendError::Unavailable(why.0))),
        }
    }
    (conversation, rest)
}
