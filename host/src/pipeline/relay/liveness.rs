//! Whether Kafka takes records, judged by what is on its way: there is no message that says "up" or "down". Pure.
//!
//! ```text
//!            oldest on its way > down_after, or one was lost
//!     Up ──────────────────────────────────────────────────────▶ Down
//!      ▲                                                           │ oldest > down_after: canaries = 0
//!      └──── `canaries` landed one by one, and dwell is over ──────┘ everything landed: one more
//! ```
//!
//! A canary is an ordinary record, the next that is due, sent alone: nothing that is not an event ever stands in the
//! topic, and what was on its way when Kafka went is the first canary. The dwell keeps a broker that comes and goes from
//! turning the road around every second.

use crate::domain::ids::Millis;

/// When to believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivenessRules {
    /// A record that has been on its way for longer means that Kafka is away.
    pub down_after_ms: Millis,
    /// Records that must have landed one by one before it counts as back.
    pub canaries: u32,
    /// Least time it counts as away.
    pub dwell_ms: Millis,
}

impl Default for LivenessRules {
    fn default() -> Self {
        Self { down_after_ms: 3000, canaries: 2, dwell_ms: 5000 }
    }
}

/// What is seen of the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// How long the oldest record has been on its way; `None`: everything has landed.
    pub(super) oldest_ms: Option<Millis>,
    /// A record was lost.
    pub(super) broken: bool,
    /// Something was sent since Kafka counts as away, or was still on its way then.
    pub(super) asked: bool,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Liveness {
    Up,
    Down { since: Millis, canaries: u32 },
}

impl Liveness {
    pub(super) fn down(since: Millis) -> Self {
        Self::Down { since, canaries: 0 }
    }

    pub(super) fn is_up(self) -> bool {
        self == Self::Up
    }

    /// The judgement after another look. `Down` with one more canary means: send the next.
    pub(super) fn look(self, rules: LivenessRules, now: Millis, seen: Seen) -> Self {
        let late = seen.broken || seen.oldest_ms.is_some_and(|age| age > rules.down_after_ms);
        match self {
            Self::Up if late => Self::down(now),
            Self::Up => Self::Up,
            Self::Down { since, .. } if late => Self::down(since),
            Self::Down { since, canaries } if seen.asked && seen.oldest_ms.is_none() => {
                let canaries = canaries.saturating_add(1);
                let stayed = now.saturating_sub(since) >= rules.dwell_ms;
                match canaries >= rules.canaries && stayed {
                    true => Self::Up,
                    false => Self::Down { since, canaries },
                }
            }
            waiting => waiting,
        }
    }
}

#[cfg(test)]
mod tests;
