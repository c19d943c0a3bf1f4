//! `[cluster]`: what all nodes of an installation must agree on.

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Into how many parts the stream and the journal are divided.
    pub partitions: u16,
}

impl Cluster {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self { partitions: from.number("partitions", 16, 1..=1024) as u16 }
    }
}
