//! The queue in memory: who waits, in order, and what each visitor was last told about its place.
//! Rebuilt from storage at start, kept current from events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::conversation::{Conversation, State};
use crate::domain::ids::{ConversationId, Millis, TeamId, VisitorId};
use crate::domain::routing::Moment;
use crate::sessions::Push;

/// A place in the queue: priority, then who waits longest, then id.
type Place = (Reverse<u8>, Millis, ConversationId);
/// How many are before it, and the estimated wait.
type Told = (u32, Option<u64>);

/// Wait estimates are told in steps of this: a visitor gains nothing from a number that flickers.
const STEP_MS: u64 = 15_000;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: BTreeMap<Place, Arc<Conversation>>,
    places: HashMap<ConversationId, Place>,
    told: HashMap<ConversationId, Told>,
    times: BTreeMap<TeamId, (Millis, Option<u64>)>,
}

impl Queue {
    /// Takes a row as it stands now: in the queue at its place, or out of it.
    pub(super) fn set(&mut self, row: Arc<Conversation>) {
        let told = self.told.remove(&row.id);
        self.remove(row.id);
        if row.state != State::Waiting || row.offline {
            return;
        }
        let place = (Reverse(row.priority), row.waiting_since, row.id);
        self.places.insert(row.id, place);
        told.map(|told| self.told.insert(row.id, told));
        self.order.insert(place, row);
    }

    pub(super) fn remove(&mut self, id: ConversationId) {
        self.told.remove(&id);
        if let Some(place) = self.places.remove(&id) {
            self.order.remove(&place);
        }
    }

    /// Begins anew, keeping what was told.
    pub(super) fn replace(&mut self, rows: Vec<Arc<Conversation>>) {
        let told = std::mem::take(&mut self.told);
        self.order.clear();
        self.places.clear();
        for row in rows {
            let id = row.id;
            self.set(row);
            if let Some(told) = told.get(&id) {
                self.told.insert(id, *told);
            }
        }
    }

    pub(super) fn rows(&self) -> Vec<Arc<Conversation>> {
        self.order.values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// When the next hard rule relaxes for somebody who waits.
    pub(super) fn relaxes(&self, moment: Moment) -> Option<Millis> {
        self.order.values().filter_map(|row| moment.relaxes(row)).min()
    }

    /// Teams somebody waits for whose service time is older than `age` ms.
    pub(super) fn stale_teams(&self, now: Millis, age: Millis) -> Vec<TeamId> {
        let mut teams: Vec<_> = self.order.values().map(|row| row.team).collect();
        teams.sort_unstable();
        teams.dedup();
        let fresh = |at: Millis| now.saturating_sub(at) < age;
        teams.retain(|team| !self.times.get(team).is_some_and(|(at, _)| fresh(*at)));
        teams
    }

    pub(super) fn set_time(&mut self, team: TeamId, now: Millis, mean: Option<u64>) {
        self.times.insert(team, (now, mean));
    }

    /// Who is to be told a new place, given how many conversations each team can have at once.
    pub(super) fn news(&mut self, slots: &BTreeMap<TeamId, u32>) -> Vec<(VisitorId, Push)> {
        let mut before: BTreeMap<TeamId, u32> = BTreeMap::new();
        let mut news = Vec::new();
        for row in self.order.values() {
            let ahead = before.entry(row.team).or_default();
            let mean = self.times.get(&row.team).and_then(|(_, mean)| *mean);
            let wait_ms = estimate(*ahead, mean, slots.get(&row.team).copied().unwrap_or(0));
            let tell = (*ahead, wait_ms);
            *ahead += 1;
            if self.told.insert(row.id, tell) != Some(tell) {
                news.push((row.visitor, push(row.id, tell)));
            }
        }
        news
    }
}

/// With `slots` conversations going on at once, one ends every `mean / slots`.
fn estimate(ahead: u32, mean: Option<u64>, slots: u32) -> Option<u64> {
    let mean = mean.filter(|_| slots > 0)?;
    let wait = mean.saturating_mul(u64::from(ahead) + 1) / u64::from(slots);
    Some(wait.div_ceil(STEP_MS) * STEP_MS)
}

fn push(conversation: ConversationId, (ahead, wait_ms): Told) -> Push {
    Push::Position { conversation, ahead, wait_ms }
}
