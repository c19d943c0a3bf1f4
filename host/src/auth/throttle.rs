//! How often one address may try one login, and how often any. Bounded: when full, the oldest half is forgotten.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use parking_lot::Mutex;

use crate::domain::ids::Millis;
use crate::domain::rate::{Bucket, Rate};
use crate::domain::refusal::Refusal;

/// Most pairs remembered.
const REMEMBERED: usize = 20_000;

/// An address may try so many times as often as one login may be tried from it: an office, not a list of logins.
const LOGINS: f64 = 10.0;

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
        let Rate { per_second, burst } = self.rate;
        let any = Rate { per_second: per_second * LOGINS, burst: burst * LOGINS };
        let network = (network(from), String::new());
        let pair = (from, login.chars().take(64).collect());
        for (key, rate) in [(network, any), (pair, self.rate)] {
            let (bucket, at) = buckets.entry(key).or_insert((Bucket::full(rate, now), now));
            *at = now;
            bucket
                .take(rate, now)
                .map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
        }
        Ok(())
    }

    /// A right password clears what came before it.
    pub(super) fn forgive(&self, from: IpAddr, login: &str) {
        self.buckets.lock().remove(&(from, login.to_owned()));
    }
}

/// Of an IPv6 address the /64 that one customer has.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => Ipv6Addr::from_bits(long.to_bits() >> 64 << 64).into(),
    }
}
