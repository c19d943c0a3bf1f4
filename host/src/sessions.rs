//! Sessions: one participant's presence, whatever carries it, and its outbox.
//!
//! A session follows conversations. For each it remembers the last `seq` put into its outbox, so that what it is
//! given is strictly increasing and complete: an event that is next goes in, an older one is dropped, a gap is healed
//! by reading the stream. The carrier (a WebSocket or a parked poll) takes from the outbox. It does not know what a
//! frame looks like (that is `transport/wire`), nor who may follow what (that is `conversations`).
//!
//! Locks are taken one at a time: a shard is left before a session is entered, so nothing here can deadlock.

mod everyone;
mod heal;
mod push;
mod run;
mod session;
mod wheel;

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use self::push::{Bye, Item, Push, Summary};
pub use self::session::{Carrier, Session};

use self::heal::Healing;
use self::session::{Offered, Taken};
use self::wheel::Wheel;
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, ConversationId, Millis, Seq, SessionId};
use crate::domain::people::{Party, Proven};
use crate::domain::rate::Rate;
use crate::domain::refusal::Refusal;
use crate::runtime::{Clock, fresh_id};
use crate::stream::{Signals, Stream};

/// Where a session is in one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// Which.
    pub conversation: ConversationId,
    /// The last `seq` put into the outbox.
    pub sent: Seq,
}

/// A session's handle as carriers and services hold it.
pub type Id = SessionId;

/// Bounds of sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionLimits {
    /// Most items in an outbox; one more cuts the slow reader.
    pub outbox_items: usize,
    /// Most bytes in an outbox, about.
    pub outbox_bytes: usize,
    /// Most conversations one session follows.
    pub follows: usize,
    /// Most sessions of one person; the next one is refused.
    pub per_party: usize,
    /// Events read from the stream at once when healing.
    pub heal_page: usize,
    /// Commands per session.
    pub commands: Rate,
    /// A ping after so much silence of the client.
    pub heartbeat_ms: Millis,
    /// A peer silent for so long is gone.
    pub idle_timeout_ms: Millis,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            outbox_items: 1024,
            outbox_bytes: 512 * 1024,
            follows: 512,
            per_party: 128,
            heal_page: 128,
            commands: Rate { per_second: 100.0, burst: 400.0 },
            heartbeat_ms: 20_000,
            idle_timeout_ms: 45_000,
        }
    }
}

/// Live figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sessions now.
    pub sessions: usize,
    /// Of these over WebSocket.
    pub sockets: usize,
    /// Readers cut for being slow, since the start.
    pub slow_readers: u64,
    /// Sessions ended for silence, since the start.
    pub idle: u64,
    /// Gaps healed by reading the stream, since the start.
    pub heals: u64,
    /// Reads to heal that gave nothing, since the start.
    pub unhealed: u64,
}

/// Told once for every session that ended, and whether it left in order (`bye`, signed out).
pub type OnEnd = Box<dyn Fn(&Session, bool) + Send + Sync>;

type Shard<K> = Mutex<HashMap<K, SmallVec<[Arc<Session>; 1]>>>;
const SHARDS: usize = 64;

/// All sessions of this node.
pub struct Sessions {
    stream: Arc<dyn Stream>,
    /// The other nodes' ears; `None`: there are no other nodes.
    signals: Option<Arc<Signals>>,
    clock: Clock,
    limits: Arc<SessionLimits>,
    by_id: Vec<Mutex<HashMap<SessionId, Arc<Session>>>>,
    by_party: Vec<Shard<Party>>,
    followers: Vec<Shard<ConversationId>>,
    wheel: Mutex<Wheel>,
    healing: Healing,
    on_end: OnceLock<OnEnd>,
    count: AtomicUsize,
    sockets: AtomicUsize,
    slow_readers: AtomicU64,
    idle: AtomicU64,
    heals: AtomicU64,
    unhealed: AtomicU64,
}

fn shards<T: Default>() -> Vec<T> {
    (0..SHARDS).map(|_| T::default()).collect()
}

fn of(number: u64) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % SHARDS
}

fn of_party(party: Party) -> usize {
    match party {
        Party::Visitor(id) => of(id.get()),
        Party::Agent(id) => of(id.get()),
        Party::System => 0,
    }
}

fn remove<K: Hash + Eq>(shard: &Shard<K>, key: &K, session: SessionId) {
    let mut shard = shard.lock();
    if let Some(list) = shard.get_mut(key) {
        list.retain(|one| one.id() != session);
        if list.is_empty() {
            shard.remove(key);
        }
    }
}

fn all<K: Hash + Eq>(shard: &Shard<K>, key: &K) -> SmallVec<[Arc<Session>; 4]> {
    shard.lock().get(key).map(|list| list.iter().cloned().collect()).unwrap_or_default()
}

/// For so many in all.
fn make_room<K: Hash + Eq, V>(shard: &Mutex<HashMap<K, V>>, many: usize) {
    let mut shard = shard.lock();
    let more = many.saturating_sub(shard.len());
    shard.reserve(more);
}

impl Sessions {
    /// No sessions yet.
    #[must_use]
    pub fn new(
        stream: Arc<dyn Stream>,
        signals: Option<Arc<Signals>>,
        clock: Clock,
        limits: SessionLimits,
    ) -> Arc<Self> {
        let tick = (limits.heartbeat_ms.min(limits.idle_timeout_ms) / 8).clamp(5, 1000);
        let wheel = Mutex::new(Wheel::new(tick, clock.now()));
        Arc::new(Self {
            stream,
            signals,
            clock,
            limits: Arc::new(limits),
            by_id: shards(),
            by_party: shards(),
            followers: shards(),
            wheel,
            healing: Healing::default(),
            on_end: OnceLock::new(),
            count: AtomicUsize::new(0),
            sockets: AtomicUsize::new(0),
            slow_readers: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            heals: AtomicU64::new(0),
            unhealed: AtomicU64::new(0),
        })
    }

    /// The bounds in force.
    #[must_use]
    pub fn limits(&self) -> &SessionLimits {
        &self.limits
    }

    /// Who is to be told when sessions end. Only the first one given counts.
    pub fn when_ended(&self, told: OnEnd) {
        drop(self.on_end.set(told));
    }

    /// Live figures.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            sessions: self.count.load(Ordering::Relaxed),
            sockets: self.sockets.load(Ordering::Relaxed),
            slow_readers: self.slow_readers.load(Ordering::Relaxed),
            idle: self.idle.load(Ordering::Relaxed),
            heals: self.heals.load(Ordering::Relaxed),
            unhealed: self.unhealed.load(Ordering::Relaxed),
        }
    }

    /// Makes room for so many sessions at once, so that no table is copied while they all come.
    pub fn reserve(&self, sessions: usize) {
        let each = sessions.div_ceil(SHARDS);
        self.by_id.iter().for_each(|shard| make_room(shard, each));
        self.by_party.iter().for_each(|shard| make_room(shard, each));
        self.followers.iter().for_each(|shard| make_room(shard, each));
    }

    /// Begins a session that ends when its proof does. From here on it is found by party; it follows nothing yet.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] when this person has too many sessions.
    pub fn open(&self, proven: Proven, carrier: Carrier) -> Result<Arc<Session>, Refusal> {
        let now = self.clock.now();
        let id = loop {
            let shard = fresh_id(&self.clock);
            if let Some(id) = SessionId::new(shard) {
                break id;
            }
        };
        let party = proven.principal.party();
        let due = proven.until.min(now + self.limits.heartbeat_ms.min(self.limits.idle_timeout_ms));
        let session = Arc::new(Session::new(id, proven, carrier, self.limits.clone(), now));
        {
            let mut shard = self.by_party[of_party(party)].lock();
            let list = shard.entry(party).or_default();
            if list.len() >= self.limits.per_party {
                return Err(Refusal::RateLimited { retry_after_ms: 5000 });
            }
            list.push(session.clone());
        }
        self.by_id[of(id.get())].lock().insert(id, session.clone());
        self.count.fetch_add(1, Ordering::Relaxed);
        if carrier == Carrier::Socket {
            self.sockets.fetch_add(1, Ordering::Relaxed);
        }
        self.wheel.lock().add(id, due);
        Ok(session)
    }

    /// The session with this id, while it lives.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        self.by_id[of(id.get())].lock().get(&id).cloned()
    }

    /// Whether this person has a session.
    #[must_use]
    pub fn has(&self, party: Party) -> bool {
        self.by_party[of_party(party)].lock().contains_key(&party)
    }

    /// The agents who have a session here.
    #[must_use]
    pub fn agents(&self) -> Vec<AgentId> {
        let mut agents = Vec::new();
        for shard in &self.by_party {
            agents.extend(shard.lock().keys().filter_map(|party| match party {
                Party::Agent(agent) => Some(*agent),
                Party::Visitor(_) | Party::System => None,
            }));
        }
        agents
    }

    /// Whether a session of this party here does not follow a conversation.
    #[must_use]
    pub fn lacks(&self, party: Party, conversation: ConversationId) -> bool {
        all(&self.by_party[of_party(party)], &party).iter().any(|one| !one.follows(conversation))
    }

    /// Ends a session, with a `bye` as its last item if one is given. `false` when it had ended before.
    pub fn end(&self, session: &Arc<Session>, bye: Option<Bye>) -> bool {
        self.finish(session, bye, bye == Some(Bye::Unauthorized))
    }

    /// Ends a session whose client said `bye`. `false` when it had ended before.
    pub fn leave(&self, session: &Arc<Session>) -> bool {
        self.finish(session, None, true)
    }

    fn finish(&self, session: &Arc<Session>, bye: Option<Bye>, orderly: bool) -> bool {
        let Some(followed) = session.end(bye) else { return false };
        for conversation in followed {
            remove(&self.followers[of(conversation.get())], &conversation, session.id());
        }
        let party = session.principal().party();
        remove(&self.by_party[of_party(party)], &party, session.id());
        self.by_id[of(session.id().get())].lock().remove(&session.id());
        self.count.fetch_sub(1, Ordering::Relaxed);
        if session.carrier() == Carrier::Socket {
            self.sockets.fetch_sub(1, Ordering::Relaxed);
        }
        match bye {
            Some(Bye::SlowReader) => self.slow_readers.fetch_add(1, Ordering::Relaxed),
            Some(Bye::Idle) => self.idle.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        if let Some(told) = self.on_end.get() {
            told(session, orderly);
        }
        true
    }

    /// Ends all sessions: the server stops.
    pub fn end_all(&self, bye: Bye) {
        for shard in &self.by_id {
            let sessions: Vec<_> = shard.lock().values().cloned().collect();
            for session in sessions {
                self.end(&session, Some(bye));
            }
        }
    }

    /// Makes a session follow a conversation from `sent` on; healing brings the rest. With `rewind` one that is
    /// followed already goes back to `sent`.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] when it follows too many.
    pub fn follow(
        &self,
        session: &Arc<Session>,
        follow: Follow,
        rewind: bool,
    ) -> Result<(), Refusal> {
        match session.follow(follow, rewind) {
            Some(Offered::Gap) => {}
            Some(Offered::Full) => return Err(Refusal::Conflict("follows too many conversations")),
            _ => return Ok(()),
        }
        let conversation = follow.conversation;
        let shard = &self.followers[of(conversation.get())];
        {
            let mut shard = shard.lock();
            let list = shard.entry(conversation).or_default();
            if !list.iter().any(|one| one.id() == session.id()) {
                list.push(session.clone());
            }
        }
        if session.is_ended() {
            remove(shard, &conversation, session.id());
            return Ok(());
        }
        self.healing.add(session.clone(), conversation);
        Ok(())
    }

    /// Ends following.
    pub fn unfollow(&self, session: &Arc<Session>, conversation: ConversationId) {
        session.unfollow(conversation);
        remove(&self.followers[of(conversation.get())], &conversation, session.id());
    }

    /// A poll's cursor: what the client has. A lost answer is sent again.
    pub fn acknowledge(&self, session: &Arc<Session>, has: Follow) {
        if session.acknowledge(has) == Offered::Gap {
            self.healing.add(session.clone(), has.conversation);
        }
    }

    /// Everything in the outbox, in order. Healing that waited for room goes on.
    pub fn take(&self, session: &Arc<Session>) -> VecDeque<Item> {
        self.taken(session, session.take())
    }

    /// As `take`, with where the session is once the client has all of it: a poll's cursor. `None` when a newer poll
    /// has replaced this one; then nothing is taken.
    pub fn take_for_poll(
        &self,
        session: &Arc<Session>,
        number: u32,
    ) -> Option<(VecDeque<Item>, Vec<Follow>)> {
        let (taken, follows) = session.take_for_poll(number)?;
        Some((self.taken(session, taken), follows))
    }

    fn taken(&self, session: &Arc<Session>, taken: Taken) -> VecDeque<Item> {
        for conversation in taken.unparked {
            self.healing.add(session.clone(), conversation);
        }
        taken.items
    }

    /// Gives something to one session. Never waits; a full outbox cuts the reader.
    pub fn put(&self, session: &Arc<Session>, item: Item) {
        if session.put(item) == Offered::Full {
            self.end(session, Some(Bye::SlowReader));
        }
    }

    /// A live event, to whoever follows its conversation.
    fn deliver(&self, event: &Arc<Event>) {
        let conversation = event.conversation;
        for session in all(&self.followers[of(conversation.get())], &conversation) {
            match session.offer(event) {
                Offered::Fine => {}
                Offered::Gap => self.healing.add(session.clone(), conversation),
                Offered::Full => {
                    self.end(&session, Some(Bye::SlowReader));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
