//! Presence: which agents have a live session on this node.
//!
//! ```text
//!            joined (first session)            left (last session, vanished)
//!   absent ────────────────────────▶ present ────────────────────────────────▶ missed
//!      ▲  ▲                            │  ▲              joined                  │
//!      │  └── left orderly ────────────┘  └─────────────────────────────────────┤
//!      └───────────────────────────── grace period over (`expire`) ─────────────┘
//! ```
//! Arrows into *absent* are told as [`PresenceChange::Lost`], the arrow out of it as [`PresenceChange::Arrived`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::domain::ids::{AgentId, Millis};
use crate::runtime::{self, Clock};

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceChange {
    /// An absent agent has a session.
    Arrived(AgentId),
    /// The agent left in order, or was away for longer than the grace period.
    Lost(AgentId),
}

/// Who is there.
#[derive(Debug)]
pub struct Presence {
    here: Mutex<HashMap<AgentId, Here>>,
    changes: broadcast::Sender<PresenceChange>,
    clock: Clock,
    grace_ms: Millis,
}

#[derive(Debug, Default, Clone, Copy)]
struct Here {
    sessions: u32,
    /// Since when there is no session; only while `sessions` is 0.
    missed_since: Option<Millis>,
}

impl Presence {
    /// Nobody is there yet. An agent whose last session vanished counts as present for `grace_ms` more.
    #[must_use]
    pub fn new(clock: Clock, grace_ms: Millis) -> Arc<Self> {
        let (changes, _) = broadcast::channel(1024);
        Arc::new(Self { here: Mutex::new(HashMap::new()), changes, clock, grace_ms })
    }

    /// Whether the agent has a live session, or vanished less than the grace period ago.
    #[must_use]
    pub fn is_present(&self, agent: AgentId) -> bool {
        self.here.lock().contains_key(&agent)
    }

    /// How long an agent whose last session vanished counts as present.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// Everyone who is present.
    #[must_use]
    pub fn present(&self) -> Vec<AgentId> {
        self.here.lock().keys().copied().collect()
    }

    /// Changes from now on. A receiver that lags loses the oldest and should look at [`Presence::present`] again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<PresenceChange> {
        self.changes.subscribe()
    }

    /// A session of this agent began.
    pub fn joined(&self, agent: AgentId) {
        let mut here = self.here.lock();
        let arrived = !here.contains_key(&agent);
        let entry = here.entry(agent).or_default();
        entry.sessions += 1;
        entry.missed_since = None;
        if arrived {
            self.tell(PresenceChange::Arrived(agent));
        }
    }

    /// A session of this agent ended: in order (`bye`), or it vanished.
    pub fn left(self: &Arc<Self>, agent: AgentId, orderly: bool) {
        let now = self.clock.now();
        let mut here = self.here.lock();
        let Some(entry) = here.get_mut(&agent) else { return };
        entry.sessions = entry.sessions.saturating_sub(1);
        if entry.sessions > 0 {
            return;
        }
        if orderly || self.grace_ms == 0 {
            here.remove(&agent);
            self.tell(PresenceChange::Lost(agent));
            return;
        }
        entry.missed_since = Some(now);
        drop(here);
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
        let mut here = self.here.lock();
        let missed = |entry: &Here| entry.sessions == 0 && entry.missed_since == Some(since);
        if here.get(&agent).is_some_and(missed) {
            here.remove(&agent);
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
