//! `[cluster]`: what all nodes of an installation must agree on.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Into how many parts the stream and the journal are divided.
    pub partitions: u16,
    /// How long the parts of a node that died are read by nobody, ms.
    pub lease_ms: u64,
}

impl Cluster {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            partitions: from.number("partitions", 16, 1..=1024) as u16,
            lease_ms: from.duration("lease", "10s", ["1s", "5m"]),
        }
    }
}
