//! `[sessions]`: presence, and what one session may hold and ask.

use super::reader::Reader;
use crate::domain::rate::Rate;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sessions {
    /// How long a vanished agent keeps its conversations, ms.
    pub grace_ms: u64,
    /// Most sessions of one person.
    pub per_person: usize,
    /// Most conversations one session follows.
    pub follows: usize,
    /// Commands of one session.
    pub commands: Rate,
    /// Events read at once for a session that lacks some.
    pub heal_page: usize,
}

impl Sessions {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            grace_ms: from.duration("grace", "30s", ["0ms", "1h"]),
            per_person: from.number("per_person", 128, 1..=10_000) as usize,
            follows: from.number("follows", 512, 8..=4096) as usize,
            commands: from.rate("commands", (100.0, 400.0)),
            heal_page: from.number("heal_page", 128, 1..=10_000) as usize,
        }
    }
}
