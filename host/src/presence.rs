//! Presence: which agents have a live session, on this node or on another.
//!
//! ```text
//!            joined (first session)            left (last session, vanished)
//!   absent ────────────────────────▶ present ────────────────────────────────▶ missed
//!      ▲  ▲                            │  ▲              joined                  │
//!      │  └── left orderly ────────────┘  └─────────────────────────────────────┤
//!      └───────────────────────────── grace period over (`expire`) ─────────────┘
//! ```
//! Arrows into *absent* are told as [`PresenceChange::Lost`], the arrow out of it as [`PresenceChange::Arrived`] — on
//! every node, and only when no other node has the agent. Nodes announce who they have (`nodes.rs`); there is no
//! presence but what is announced, so nothing is left behind by a node that dies.

mod nodes;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

use self::nodes::Nodes;
use crate::domain::ids::{AgentId, Millis};
use crate::runtime::{self, Clock};
use crate::stream::Signals;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PresenceChange {
    /// An absent agent has a session.
    Arrived(AgentId),
    /// The agent left in order, or was away for longer than the grace period.
    Lost(AgentId),
}

/// Who is there.
#[derive(Debug)]
pub struct Presence {
    known: Mutex<Known>,
    changes: broadcast::Sender<PresenceChange>,
    clock: Clock,
    grace_ms: Millis,
    /// The other nodes' ears; `None`: there are no other nodes.
    signals: Option<Arc<Signals>>,
    /// Who is here has changed and is to be announced.
    announce: Notify,
}

#[derive(Debug, Default)]
struct Known {
    here: HashMap<AgentId, Here>,
    elsewhere: Nodes,
}

#[derive(Debug, Default, Clone, Copy)]
struct Here {
    sessions: u32,
    /// Since when there is no session; only while `sessions` is 0.
    missed_since: Option<Millis>,
}

impl Known {
    fn has(&self, agent: AgentId) -> bool {
        self.here.contains_key(&agent) || self.elsewhere.has(agent)
    }
}

impl Presence {
    /// Nobody is there yet. An agent whose last session vanished counts as present for `grace_ms` more.
    #[must_use]
    pub fn new(clock: Clock, grace_ms: Millis, signals: Option<Arc<Signals>>) -> Arc<Self> {
        let (changes, _) = broadcast::channel(1024);
        let (known, announce) = (Mutex::default(), Notify::new());
        Arc::new(Self { known, changes, clock, grace_ms, signals, announce })
    }

    /// Whether the agent has a live session, or vanished less than the grace period ago.
    #[must_use]
    pub fn is_present(&self, agent: AgentId) -> bool {
        self.known.lock().has(agent)
    }

    /// How long an agent whose last session vanished counts as present.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// Changes from now on. A receiver that lags loses the oldest and should look at everyone again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<PresenceChange> {
        self.changes.subscribe()
    }

    /// A session of this agent began.
    pub fn joined(&self, agent: AgentId) {
        let mut known = self.known.lock();
        let arrived = !known.has(agent);
        let entry = known.here.entry(agent).or_default();
        entry.sessions += 1;
        entry.missed_since = None;
        if entry.sessions == 1 {
            self.announce.notify_one();
        }
        if arrived {
            self.tell(PresenceChange::Arrived(agent));
        }
    }

    /// A session of this agent ended: in order (`bye`), or it vanished.
    pub fn left(self: &Arc<Self>, agent: AgentId, orderly: bool) {
        let now = self.clock.now();
        let mut known = self.known.lock();
        let Some(entry) = known.here.get_mut(&agent) else { return };
        entry.sessions = entry.sessions.saturating_sub(1);
        if entry.sessions > 0 {
            return;
        }
        if orderly || self.grace_ms == 0 {
            self.gone(&mut known, agent);
            return;
        }
        entry.missed_since = Some(now);
        drop(known);
        let presence = Arc::downgrade(self);
        let grace = Duration::from_millis(self.grace_ms);
        runtime::spawn(async move {
            tokio::time::sleep(grace).await;
            if let Some(presence) = presence.upgrade() {
                presence.expire(agent, now);
            }
        });
    }

    /// The grace period that began at `since` is over.
    fn expire(&self, agent: AgentId, since: Millis) {
        let mut known = self.known.lock();
        let missed = |entry: &Here| entry.sessions == 0 && entry.missed_since == Some(since);
        if known.here.get(&agent).is_some_and(missed) {
            self.gone(&mut known, agent);
        }
    }

    /// The agent is not here any more.
    fn gone(&self, known: &mut Known, agent: AgentId) {
        known.here.remove(&agent);
        self.announce.notify_one();
        if !known.has(agent) {
            self.tell(PresenceChange::Lost(agent));
        }
    }

    /// Told under the lock, so that changes of one agent are told in order. Nobody listening is fine.
    fn tell(&self, change: PresenceChange) {
        drop(self.changes.send(change));
    }
}

#[cfg(test)]
mod tests;
