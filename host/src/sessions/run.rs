//! What runs: the live tail into outboxes, the healers, and the timer wheel.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::session::{Carrier, Session};
use super::{Bye, Item, Sessions};
use crate::domain::ids::Millis;
use crate::runtime;
use crate::stream::{Tail, Told};

/// Gaps healed at the same time.
const HEALERS: usize = 4;

impl Sessions {
    /// Delivers until shutdown. The tail is opened before the first await, so call it before the first session.
    pub fn run(
        self: &Arc<Self>,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let tail = self.stream.tail();
        let sessions = self.clone();
        async move {
            for _ in 0..HEALERS {
                runtime::spawn(sessions.clone().heal_all(shutdown.clone()));
            }
            runtime::spawn(sessions.clone().keep_time(shutdown.clone()));
            runtime::spawn(sessions.clone().hear_others(shutdown.clone()));
            sessions.follow_tail(tail, shutdown).await;
        }
    }

    async fn follow_tail(&self, mut tail: Tail, shutdown: CancellationToken) {
        loop {
            let told = tokio::select! {
                () = shutdown.cancelled() => return,
                told = tail.recv() => told,
            };
            match told {
                Some(Told::Events(batch)) => batch.iter().for_each(|event| self.deliver(event)),
                Some(Told::Missed) => self.heal_everyone(),
                None => {
                    tracing::error!("the stream's tail ended; sessions get no live events");
                    return;
                }
            }
        }
    }

    async fn keep_time(self: Arc<Self>, shutdown: CancellationToken) {
        let tick = (self.limits.heartbeat_ms.min(self.limits.idle_timeout_ms) / 8).clamp(5, 1000);
        let mut ticks = tokio::time::interval(Duration::from_millis(tick));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut due = Vec::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => self.look(self.clock.now(), &mut due),
            }
        }
    }

    /// Looks at every session whose slot has come.
    pub(super) fn look(&self, now: Millis, due: &mut Vec<crate::domain::ids::SessionId>) {
        self.wheel.lock().turn(now, due);
        for id in due.drain(..) {
            let Some(session) = self.get(id) else { continue };
            if let Some(again) = self.look_at(&session, now) {
                self.wheel.lock().add(id, again);
            }
        }
    }

    /// Pings or ends one session; when to look again.
    fn look_at(&self, session: &Arc<Session>, now: Millis) -> Option<Millis> {
        if now >= session.until() {
            // Not orderly: an agent has the grace period to sign in again.
            self.finish(session, Some(Bye::Unauthorized), false);
            return None;
        }
        let gone = session.heard_at() + self.limits.idle_timeout_ms;
        if now >= gone {
            self.end(session, Some(Bye::Idle));
            return None;
        }
        if session.carrier() == Carrier::Poll {
            return Some(gone.min(session.until()));
        }
        // What we wrote proves nothing: whoever only listens must be asked whether it is there.
        let mut ping = session.heard_at() + self.limits.heartbeat_ms;
        if now >= ping {
            self.put(session, Item::Ping);
            ping = now + self.jittered(session);
        }
        Some(gone.min(ping).min(session.until()))
    }

    /// 7/8 to 8/8 of the heartbeat, by session, so that a crowd that came at once does not ping at once.
    fn jittered(&self, session: &Session) -> Millis {
        let eighth = self.limits.heartbeat_ms / 8;
        self.limits.heartbeat_ms - session.id().get() % eighth.max(1)
    }
}
