//! The timer wheel: one for all sessions of the process. Each session stands in one slot, the moment at which it must
//! next be looked at; traffic moves nothing, a session that was not quiet is simply put off when its slot comes.

use crate::domain::ids::{Millis, SessionId};

/// Slots of `tick` ms each. Anything later than a whole turn is looked at after one turn and put off again.
pub(super) struct Wheel {
    slots: Vec<Vec<SessionId>>,
    tick: Millis,
    /// The next slot to be turned over, as a count of ticks since the start.
    next: u64,
    start: Millis,
}

const SLOTS: usize = 128;

impl Wheel {
    pub(super) fn new(tick: Millis, start: Millis) -> Self {
        Self { slots: vec![Vec::new(); SLOTS], tick: tick.max(1), next: 1, start }
    }

    /// Puts a session into the slot of the first tick at or after `due`.
    pub(super) fn add(&mut self, session: SessionId, due: Millis) {
        let tick = due.saturating_sub(self.start).div_ceil(self.tick);
        let tick = tick.clamp(self.next, self.next + SLOTS as u64 - 1);
        self.slots[tick as usize % SLOTS].push(session);
    }

    /// Turns to `now`; everything that has fallen due goes into `due`.
    pub(super) fn turn(&mut self, now: Millis, due: &mut Vec<SessionId>) {
        let to = now.saturating_sub(self.start) / self.tick;
        // After a long sleep one whole turn visits every slot.
        let first = self.next.max((to + 1).saturating_sub(SLOTS as u64));
        for tick in first..=to {
            due.append(&mut self.slots[tick as usize % SLOTS]);
        }
        self.next = self.next.max(to + 1);
    }
}
