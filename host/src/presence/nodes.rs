//! Who is on the other nodes: what each announced last, until it was silent for too long.
//!
//! Every node announces everyone it has at once when that changes, and again and again so that a lost announcement is
//! made good. A node that died is silent; its agents count as present for the grace period, in which they come back on
//! another. A node that does not even hear itself knows nothing of the others: for it, that time does not pass. So an
//! outage of what carries the signals loses nobody.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Presence, PresenceChange};
use crate::domain::ids::{AgentId, Millis};
use crate::stream::{Signal, Topic};

/// Between two announcements.
const EVERY: Duration = Duration::from_secs(2);
/// A crowd that comes or goes at once is announced together.
const TOGETHER: Duration = Duration::from_millis(20);
/// A node that was not heard for so long is gone, if the grace period is not longer.
const SILENT_MS: Millis = 6_000;

/// Which run of which node.
type Node = u64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    others: HashMap<Node, Other>,
    /// When this node last heard itself.
    echo: Millis,
}

#[derive(Debug)]
struct Other {
    agents: HashSet<AgentId>,
    heard: Millis,
}

/// An announcement.
#[derive(Debug, Serialize, Deserialize)]
struct Here {
    here: Vec<AgentId>,
    /// The sender is new: everyone announces at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    new: bool,
}

/// Agents who are elsewhere now and were not, or the other way round.
pub(super) type Turns = Vec<(AgentId, bool)>;

impl Nodes {
    pub(super) fn has(&self, agent: AgentId) -> bool {
        self.others.values().any(|other| other.agents.contains(&agent))
    }

    /// A node announced who it has.
    pub(super) fn announced(&mut self, node: Node, agents: HashSet<AgentId>, now: Millis) -> Turns {
        let fresh = agents.iter().filter(|agent| !self.has(**agent));
        let mut turns: Turns = fresh.map(|agent| (*agent, true)).collect();
        let before = self.others.insert(node, Other { agents, heard: now });
        turns.extend(self.without(before.into_iter()));
        turns
    }

    /// This node heard itself. What passed while it did not has not passed.
    pub(super) fn echoed(&mut self, now: Millis) {
        if self.is_deaf(now) {
            self.others.values_mut().for_each(|other| other.heard = now);
        }
        self.echo = now;
    }

    fn is_deaf(&self, now: Millis) -> bool {
        now.saturating_sub(self.echo) > SILENT_MS
    }

    /// Forgets who was silent for too long.
    pub(super) fn silent(&mut self, now: Millis, after: Millis) -> Turns {
        if self.is_deaf(now) {
            return Turns::new();
        }
        let late = |other: &Other| now.saturating_sub(other.heard) > after.max(SILENT_MS);
        let gone: Vec<_> = self.others.extract_if(|_, other| late(other)).collect();
        self.without(gone.into_iter().map(|(_, other)| other))
    }

    /// Whether this node was heard at a moment.
    #[cfg(test)]
    pub(super) fn was_heard(&self, at: Millis) -> bool {
        self.echo == at
    }

    /// Whom nobody has any more of those who were there before.
    fn without(&self, before: impl Iterator<Item = Other>) -> Turns {
        let agents = before.flat_map(|other| other.agents);
        agents.filter(|agent| !self.has(*agent)).map(|agent| (agent, false)).collect()
    }
}

impl Presence {
    /// Announces who is here and listens to the others until shutdown. At once done where there are no others.
    pub async fn run(&self, shutdown: CancellationToken) {
        let Some(signals) = &self.signals else { return };
        let mut heard = signals.hear();
        let mut again = interval(EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut new, mut due) = (true, None);
        loop {
            let soon = due.unwrap_or_else(Instant::now);
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = again.tick() => self.turn(std::mem::take(&mut new)),
                () = self.announce.notified(), if due.is_none() => {
                    due = Some(Instant::now() + TOGETHER);
                }
                () = sleep_until(soon), if due.is_some() => {
                    due = None;
                    self.announce_here(false);
                }
                signal = heard.recv() => match signal {
                    Ok(signal) if signal.topic == Topic::Presence => self.heard(&signal),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// What is due again and again.
    pub(super) fn turn(&self, new: bool) {
        self.announce_here(new);
        self.changed(|nodes, now| nodes.silent(now, self.grace_ms));
    }

    fn announce_here(&self, new: bool) {
        let here = self.known.lock().here.keys().copied().collect();
        match (&self.signals, serde_json::to_string(&Here { here, new })) {
            (Some(signals), Ok(text)) => signals.send(Topic::Presence, &text),
            (_, Err(error)) => tracing::error!(%error, "who is here cannot be announced"),
            (None, _) => {}
        }
    }

    fn heard(&self, signal: &Signal) {
        let Ok(announced) = serde_json::from_str::<Here>(&signal.text) else {
            tracing::debug!(node = signal.node, "an announcement makes no sense");
            return;
        };
        if self.signals.as_ref().is_some_and(|signals| signals.node() == signal.node) {
            self.known.lock().elsewhere.echoed(self.clock.now());
            return;
        }
        let agents = announced.here.into_iter().collect();
        self.changed(|nodes, now| nodes.announced(signal.node, agents, now));
        if announced.new {
            self.announce.notify_one();
        }
    }

    /// Changes who is elsewhere, and tells what that comes to.
    fn changed(&self, change: impl FnOnce(&mut Nodes, Millis) -> Turns) {
        let mut known = self.known.lock();
        for (agent, there) in change(&mut known.elsewhere, self.clock.now()) {
            match (known.here.contains_key(&agent), there) {
                (true, _) => {}
                (false, true) => self.tell(PresenceChange::Arrived(agent)),
                (false, false) => self.tell(PresenceChange::Lost(agent)),
            }
        }
    }
}
