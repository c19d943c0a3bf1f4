//! `[auth]`: how long tokens last and how often one may guess.

use super::reader::Reader;
use crate::domain::rate::Rate;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Auth {
    /// Life of a visitor's token, ms.
    pub visitor_token_ms: u64,
    /// Life of an agent's token, ms.
    pub agent_token_ms: u64,
    /// Sign-in attempts per address and login.
    pub login: Rate,
}

impl Auth {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            visitor_token_ms: from.duration("visitor_token", "30d", ["1s", "400d"]),
            agent_token_ms: from.duration("agent_token", "12h", ["1s", "30d"]),
            login: Rate {
                per_second: from.fraction("login_per_minute", 6.0, 0.1..=6000.0) / 60.0,
                burst: from.fraction("login_burst", 8.0, 1.0..=1000.0),
            },
        }
    }
}
