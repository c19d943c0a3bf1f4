//! How often one address may try one login. Bounded: when full, the oldest half is forgotten.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::domain::ids::Millis;
use crate::domain::rate::{Bucket, Rate};
use crate::domain::refusal::Refusal;

/// Most pairs remembered.
const REMEMBERED: usize = 20_000;

/// See the module.
pub(super) struct Throttle {
    rate: Rate,
    buckets: Mutex<HashMap<(IpAddr, String), (Bucket, Millis)>>,
}

impl Throttle {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes one attempt.
    pub(super) fn take(&self, from: IpAddr, login: &str, now: Millis) -> Result<(), Refusal> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= REMEMBERED {
            let mut times: Vec<Millis> = buckets.values().map(|(_, at)| *at).collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let median = *median;
            buckets.retain(|_, (_, at)| *at > median);
        }
        let key = (from, login.chars().take(64).collect());
        let (bucket, at) = buckets.entry(key).or_insert((Bucket::full(self.rate, now), now));
        *at = now;
        bucket
            .take(self.rate, now)
            .map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }

    /// A right password clears what came before it.
    pub(super) fn forgive(&self, from: IpAddr, login: &str) {
        self.buckets.lock().remove(&(from, login.to_owned()));
    }
}
