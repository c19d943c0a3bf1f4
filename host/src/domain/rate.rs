//! Token buckets: how fast a visitor or an address may go.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use super::ids::Millis;

/// A bucket that holds `burst` tokens and gains `per_second` of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    tokens: f64,
    filled_at: Millis,
}

/// How fast something may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens gained per second.
    pub per_second: f64,
    /// Most tokens held.
    pub burst: f64,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(rate: Rate, now: Millis) -> Self {
        Self { tokens: rate.burst, filled_at: now }
    }

    /// Takes one token, or says in how many milliseconds there will be one. A clock that goes back
    /// gains nothing.
    ///
    /// # Errors
    /// The milliseconds to wait, at least 1.
    pub fn take(&mut self, rate: Rate, now: Millis) -> Result<(), u64> {
        let gained = now.saturating_sub(self.filled_at) as f64 / 1000.0 * rate.per_second;
        self.tokens = (self.tokens + gained).min(rate.burst);
        self.filled_at = self.filled_at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.tokens) / rate.per_second.max(f64::MIN_POSITIVE) * 1000.0;
        Err((wait.ceil() as u64).clamp(1, 3_600_000))
    }
}

/// A bucket for each of many. Bounded: when it is full, the half that was asked for longest ago is forgotten, so that
/// whoever is being slowed down, and goes on trying, stays slowed down.
#[derive(Debug)]
pub struct Buckets<K> {
    most: usize,
    /// With when each was last asked for.
    buckets: HashMap<K, (Bucket, Millis)>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// For so many, at least two.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most: most.max(2), buckets: HashMap::new() }
    }

    /// Takes one token of a key's bucket, which is full when the key is new.
    ///
    /// # Errors
    /// As [`Bucket::take`].
    pub fn take(&mut self, key: K, rate: Rate, now: Millis) -> Result<(), u64> {
        if self.buckets.len() >= self.most && !self.buckets.contains_key(&key) {
            self.forget_half();
        }
        let fresh = || (Bucket::full(rate, now), now);
        let (bucket, at) = self.buckets.entry(key).or_insert_with(fresh);
        *at = now;
        bucket.take(rate, now)
    }

    /// The key's bucket is full again.
    pub fn forget(&mut self, key: &K) {
        self.buckets.remove(key);
    }

    fn forget_half(&mut self) {
        let mut times: Vec<Millis> = self.buckets.values().map(|(_, at)| *at).collect();
        let half = times.len() / 2;
        let (older, middle, _) = times.select_nth_unstable(half);
        let middle = *middle;
        // Of those of that very moment only as many as make the half.
        let mut also = half - older.iter().filter(|at| **at < middle).count();
        self.buckets.retain(|_, (_, at)| match (*at).cmp(&middle) {
            Ordering::Less => false,
            Ordering::Equal if also > 0 => {
                also -= 1;
                false
            }
            Ordering::Equal | Ordering::Greater => true,
        });
    }
}

/// Whom an address is taken for: of IPv6 the /64 that one customer has, since it may use any address in it.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(short) => short.into(),
        IpAddr::V6(long) => Ipv6Addr::from_bits(long.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests;
