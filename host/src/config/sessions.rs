//! `[sessions]`: presence.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sessions {
    /// How long a vanished agent keeps its conversations, ms.
    pub grace_ms: u64,
}

impl Sessions {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self { grace_ms: from.duration("grace", "30s", "1h") }
    }
}
