//! What is remembered in memory so that a message costs no SQL: rows, rates, finished drafts, the
//! roster. All of it bounded and all of it rebuildable. Also: who may do what, given a row.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use super::{Conversations, stored};
use crate::domain::agent::Agent;
use crate::domain::conversation::{self, Conversation, State};
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, ClientKey, ConversationId, Millis, Seq, VisitorId};
use crate::domain::people::{Party, Principal, Role};
use crate::domain::rate::{Bucket, Rate};
use crate::domain::recent::Recent;
use crate::domain::refusal::Refusal;
use crate::sessions::Push;
use crate::stream::Receipt;

/// Stripes of locks: two conversations share one only by chance.
const STRIPES: usize = 1024;
/// How long the roster may be old where it only decides who is shown a list entry.
const ROSTER_MS: Millis = 2000;

/// How many closed conversations an agent's sessions still follow.
const FOLLOWED_CLOSED: usize = 32;

type Rates = Mutex<Recent<Party, Bucket>>;
type Lock = Arc<RwLock<()>>;

/// A row in memory.
struct Kept {
    row: Arc<Conversation>,
    /// As storage has it, as far as is known here. Otherwise it is as events told of it since: right in who has the
    /// conversation, and nothing to change it by.
    exact: bool,
    /// It knows of all events up to this one.
    upto: Seq,
}

/// Everything remembered.
pub(super) struct Known {
    rows: Mutex<Recent<ConversationId, Kept>>,
    rates: Rates,
    uploads: Rates,
    /// Receipts of recent changes of state, so that a repeated draft changes nothing twice.
    done: Mutex<Recent<(ConversationId, Party, ClientKey), Receipt>>,
    /// Recent openings, for the same reason.
    pub(super) opened: Mutex<Recent<(VisitorId, ClientKey), ConversationId>>,
    /// The last closed conversations of each agent: followed a while longer (a rating comes after
    /// closing), not for ever.
    closed: Mutex<Recent<AgentId, VecDeque<ConversationId>>>,
    /// Places in the queue as last told, for visitors that come back.
    places: Mutex<Recent<ConversationId, Push>>,
    roster: Mutex<Option<(Millis, Arc<Vec<Agent>>)>>,
    /// Messages read-lock their conversation, changes of state write-lock it: nothing is said after
    /// `closed`, and the events of two changes never interleave.
    conversations: Vec<Lock>,
    visitors: Vec<Lock>,
}

impl Known {
    pub(super) fn new() -> Self {
        let stripes = || (0..STRIPES).map(|_| Lock::default()).collect();
        Self {
            rows: Mutex::new(Recent::new(20_000)),
            rates: Mutex::new(Recent::new(50_000)),
            uploads: Mutex::new(Recent::new(10_000)),
            done: Mutex::new(Recent::new(5_000)),
            opened: Mutex::new(Recent::new(5_000)),
            closed: Mutex::new(Recent::new(5_000)),
            places: Mutex::new(Recent::new(5_000)),
            roster: Mutex::new(None),
            conversations: stripes(),
            visitors: stripes(),
        }
    }

    pub(super) fn lock(&self, id: ConversationId) -> &Lock {
        &self.conversations[stripe(id.get())]
    }

    pub(super) async fn change(&self, id: ConversationId) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(self.lock(id)).write_owned().await
    }

    pub(super) async fn opening(&self, visitor: VisitorId) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.visitors[stripe(visitor.get())]).write_owned().await
    }

    /// Remembers a row unless a newer one is remembered. `upto`: its last event, 0 where that is not known.
    pub(super) fn keep(&self, row: &Arc<Conversation>, upto: Seq) {
        let mut rows = self.rows.lock();
        let known = rows.get(&row.id).map(|kept| (kept.row.version, kept.upto));
        let (version, told) = known.unwrap_or_default();
        if version <= row.version && (upto == 0 || told <= upto) {
            let kept = Kept { row: Arc::clone(row), exact: true, upto: told.max(upto) };
            rows.insert(row.id, kept);
        }
    }

    /// Something happened to a conversation, on whatever node.
    pub(super) fn tell(&self, event: &Event) {
        let mut rows = self.rows.lock();
        if let Some(kept) = rows.get(&event.conversation).filter(|kept| kept.upto < event.seq) {
            let row = Arc::new(conversation::told(&kept.row, &event.body));
            *kept = Kept { row, exact: false, upto: event.seq };
        }
    }

    /// Storage may have another one by now.
    pub(super) fn doubt(&self, id: ConversationId) {
        if let Some(kept) = self.rows.lock().get(&id) {
            kept.exact = false;
        }
    }

    /// The row, or only one that is as storage has it.
    pub(super) fn row(&self, id: ConversationId, exact: bool) -> Option<Arc<Conversation>> {
        let mut rows = self.rows.lock();
        rows.get(&id).filter(|kept| kept.exact || !exact).map(|kept| Arc::clone(&kept.row))
    }

    /// Nobody knows what changed.
    pub(super) fn forget_all(&self) {
        self.rows.lock().clear();
    }

    pub(super) fn take_token(&self, who: Party, rate: Rate, now: Millis) -> Result<(), Refusal> {
        take(&self.rates, who, rate, now)
    }

    pub(super) fn take_upload(&self, who: Party, rate: Rate, now: Millis) -> Result<(), Refusal> {
        take(&self.uploads, who, rate, now)
    }

    pub(super) fn done(&self, id: ConversationId, who: Party, key: &ClientKey) -> Option<Receipt> {
        let receipt = self.done.lock().get(&(id, who, key.clone())).copied()?;
        Some(Receipt { duplicate: true, ..receipt })
    }

    pub(super) fn note_done(&self, at: (ConversationId, Party, ClientKey), receipt: Receipt) {
        self.done.lock().insert(at, receipt);
    }

    /// Notes a closed conversation; gives the one that need not be followed any longer.
    pub(super) fn closed_by(&self, agent: AgentId, id: ConversationId) -> Option<ConversationId> {
        let mut closed = self.closed.lock();
        let Some(list) = closed.get(&agent) else {
            closed.insert(agent, VecDeque::from([id]));
            return None;
        };
        if !list.contains(&id) {
            list.push_back(id);
        }
        if list.len() > FOLLOWED_CLOSED { list.pop_front() } else { None }
    }

    pub(super) fn forget_roster(&self) {
        *self.roster.lock() = None;
    }
}

fn take(rates: &Rates, who: Party, rate: Rate, now: Millis) -> Result<(), Refusal> {
    let mut rates = rates.lock();
    let taken = if let Some(bucket) = rates.get(&who) {
        bucket.take(rate, now)
    } else {
        let mut bucket = Bucket::full(rate, now);
        let taken = bucket.take(rate, now);
        rates.insert(who, bucket);
        taken
    };
    taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
}

/// Ids end in random bits.
fn stripe(number: u64) -> usize {
    number as usize % STRIPES
}

impl Conversations {
    /// The row as storage has it, from memory if it is there.
    pub(super) async fn row(&self, id: ConversationId) -> Result<Arc<Conversation>, Refusal> {
        match self.known.row(id, true) {
            Some(row) => Ok(row),
            None => self.read_row(id).await,
        }
    }

    /// The row as far as it says who may speak: one that is in memory is kept up by events, so that nobody waits for
    /// storage.
    pub(super) async fn row_told(&self, id: ConversationId) -> Result<Arc<Conversation>, Refusal> {
        match self.known.row(id, false) {
            Some(row) => Ok(row),
            None => self.read_row(id).await,
        }
    }

    /// The row as storage has it now.
    pub(super) async fn read_row(&self, id: ConversationId) -> Result<Arc<Conversation>, Refusal> {
        let row = self.parts.storage.conversation(id).await.map_err(stored)?;
        let row = Arc::new(row.ok_or(Refusal::NotFound("conversation"))?);
        self.known.keep(&row, 0);
        Ok(row)
    }

    /// The conversation as it stands now: for routing, which reacts to events by looking at rows.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or storage is away.
    pub async fn now(&self, id: ConversationId) -> Result<Arc<Conversation>, Refusal> {
        self.row(id).await
    }

    /// A visitor was told its place in the queue.
    pub(crate) fn told_place(&self, push: &Push) {
        if let Push::Position { conversation, .. } = push {
            self.known.places.lock().insert(*conversation, push.clone());
        }
    }

    /// The place in the queue as last told, for a visitor that comes back while it waits.
    #[must_use]
    pub fn place(&self, id: ConversationId) -> Option<Push> {
        self.known.places.lock().get(&id).cloned()
    }

    /// All accounts, at most two seconds old.
    pub(super) async fn roster(&self) -> Result<Arc<Vec<Agent>>, Refusal> {
        let now = self.parts.clock.now();
        if let Some((at, agents)) = &*self.known.roster.lock()
            && now.saturating_sub(*at) < ROSTER_MS
        {
            return Ok(Arc::clone(agents));
        }
        let agents = Arc::new(self.parts.storage.agents().await.map_err(stored)?);
        *self.known.roster.lock() = Some((now, Arc::clone(&agents)));
        Ok(agents)
    }

    /// The account behind an id.
    pub(super) async fn account(&self, id: AgentId) -> Result<Agent, Refusal> {
        let agent = self.parts.storage.agent(id).await.map_err(stored)?;
        agent.ok_or(Refusal::NotFound("agent"))
    }
}

/// Whether it is this principal's own: the visitor who asks, the agent who answers (or answered
/// last).
pub(super) fn own(who: &Principal, row: &Conversation) -> bool {
    match *who {
        Principal::Visitor { visitor, .. } => row.visitor == visitor,
        Principal::Agent { agent, .. } => row.agent == Some(agent),
    }
}

/// Whether it is a supervisor or admin.
pub(super) fn supervises(who: &Principal) -> bool {
    matches!(who, Principal::Agent { role, .. } if *role >= Role::Supervisor)
}

/// Whether this principal takes part, without SQL: its own, or it supervises.
pub(super) fn takes_part(who: &Principal, row: &Conversation) -> Result<(), Refusal> {
    if own(who, row) || supervises(who) {
        return Ok(());
    }
    Err(match who {
        Principal::Agent { .. } if row.state == State::Waiting => {
            Refusal::Forbidden("take the conversation first")
        }
        Principal::Agent { .. } => Refusal::Forbidden("another agent has it"),
        Principal::Visitor { .. } => Refusal::NotFound("conversation"),
    })
}
