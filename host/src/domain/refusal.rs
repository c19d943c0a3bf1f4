//! Why something a client asked for was not done: one code per thing the client can do about it.

use schemars::JsonSchema;
use serde::Serialize;

/// A refusal, as the client sees it. `Display` is the sentence shown to people who read logs and
/// API answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The frame or body is not what the protocol says.
    #[error("bad frame: {0}")]
    BadFrame(String),
    /// Larger than a stated limit.
    #[error("too large: {what} may have at most {limit} bytes")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// No valid token.
    #[error("not signed in: {0}")]
    Unauthorized(&'static str),
    /// A valid token, but not for this.
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    /// It does not exist, or is not yours (the two are not told apart).
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Not in this state.
    #[error("{0}")]
    Conflict(&'static str),
    /// A value breaks its rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// Which value.
        field: &'static str,
        /// The rule it breaks.
        rule: String,
    },
    /// A file of a kind that is not taken.
    #[error("not taken: {0}")]
    Unsupported(String),
    /// The filter says no.
    #[error("not sent: {0}")]
    Blocked(String),
    /// Too fast.
    #[error("too many requests, try again in {retry_after_ms} ms")]
    RateLimited {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// Not now (draining, disk full, storage away). Nothing was kept.
    #[error("temporarily unavailable: {reason}")]
    Unavailable {
        /// What is away.
        reason: &'static str,
        /// When to try again.
        retry_after_ms: u64,
    },
}

/// The wire code of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented on the Refusal variant of the same name")]
pub enum Code {
    BadFrame,
    TooLarge,
    Unauthorized,
    Forbidden,
    NotFound,
    Conflict,
    Invalid,
    Unsupported,
    Blocked,
    RateLimited,
    Unavailable,
}

impl Code {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Blocked => "blocked",
            Self::Unsupported => "unsupported",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Refusal {
    /// The wire code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::BadFrame(_) => Code::BadFrame,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::Unauthorized(_) => Code::Unauthorized,
            Self::Forbidden(_) => Code::Forbidden,
            Self::NotFound(_) => Code::NotFound,
            Self::Conflict(_) => Code::Conflict,
            Self::Invalid { .. } => Code::Invalid,
            Self::Unsupported(_) => Code::Unsupported,
            Self::Blocked(_) => Code::Blocked,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::Unavailable { .. } => Code::Unavailable,
        }
    }

    /// When to try again, if waiting helps.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_ms } | Self::Unavailable { retry_after_ms, .. } => {
                Some(*retry_after_ms)
            }
            _ => None,
        }
    }
}
