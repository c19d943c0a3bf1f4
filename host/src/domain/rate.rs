//! Token buckets: how fast a visitor or an address may go.

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

#[cfg(test)]
mod tests;
