//! `[routing]`: hard rules that relax with time.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// So long an agent is not offered again what it handed back, ms.
    pub declined_ms: u64,
}

impl Routing {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self { declined_ms: from.duration("declined", "2m", ["0ms", "30d"]) }
    }
}
