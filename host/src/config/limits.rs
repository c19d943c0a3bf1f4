//! `[limits]`: how much and how fast people may write.

use super::reader::Reader;
use crate::domain::rate::Rate;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Most bytes in a message or note.
    pub text_bytes: usize,
    /// Most bytes in a form answer.
    pub field_bytes: usize,
    /// Messages per sender.
    pub messages: Rate,
    /// New visitors per address.
    pub visitors: Rate,
    /// Most bytes in an uploaded plugin.
    pub plugin_bytes: usize,
}

impl Limits {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            text_bytes: from.number("text_bytes", 8192, 64..=60_000) as usize,
            field_bytes: from.number("field_bytes", 512, 16..=8192) as usize,
            messages: Rate {
                per_second: from.fraction("messages_per_second", 5.0, 0.01..=100_000.0),
                burst: from.fraction("messages_burst", 20.0, 1.0..=1_000_000.0),
            },
            visitors: Rate {
                per_second: from.fraction("visitors_per_second", 2.0, 0.01..=100_000.0),
                burst: from.fraction("visitors_burst", 60.0, 1.0..=1_000_000.0),
            },
            plugin_bytes: from.number("plugin_bytes", 33_554_432, 1024..=268_435_456) as usize,
        }
    }
}
