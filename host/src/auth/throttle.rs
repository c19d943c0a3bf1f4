//! How often one address may try one login, and how often any.

use std::net::IpAddr;

use parking_lot::Mutex;

use crate::domain::ids::Millis;
use crate::domain::rate::{Buckets, Rate, network};
use crate::domain::refusal::Refusal;

/// Most pairs remembered.
const REMEMBERED: usize = 20_000;

/// An address may try so many times as often as one login may be tried from it: an office, not a list of logins.
const LOGINS: f64 = 10.0;

/// See the module.
pub(super) struct Throttle {
    rate: Rate,
    buckets: Mutex<Buckets<(IpAddr, String)>>,
}

impl Throttle {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(Buckets::new(REMEMBERED)) }
    }

    /// Takes one attempt.
    pub(super) fn take(&self, from: IpAddr, login: &str, now: Millis) -> Result<(), Refusal> {
        let mut buckets = self.buckets.lock();
        let Rate { per_second, burst } = self.rate;
        let any = Rate { per_second: per_second * LOGINS, burst: burst * LOGINS };
        let network = (network(from), String::new());
        let pair = (from, login.chars().take(64).collect());
        for (key, rate) in [(network, any), (pair, self.rate)] {
            buckets
                .take(key, rate, now)
                .map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
        }
        Ok(())
    }

    /// A right password clears what came before it.
    pub(super) fn forgive(&self, from: IpAddr, login: &str) {
        self.buckets.lock().forget(&(from, login.to_owned()));
    }
}
