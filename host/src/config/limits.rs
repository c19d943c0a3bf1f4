//! `[limits]`: how much and how fast people may write.

use super::reader::Reader;
use crate::domain::file::{KINDS, Kind};
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
    /// Most bytes in a file sent in a conversation.
    pub file_bytes: u64,
    /// MIME types of files that may be sent; each is one of `domain::file::KINDS`.
    pub file_types: Vec<&'static str>,
    /// Uploads per sender.
    pub files: Rate,
    /// Most files in one conversation.
    pub conversation_files: u64,
}

impl Limits {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            text_bytes: from.number("text_bytes", 8192, 64..=60_000) as usize,
            field_bytes: from.number("field_bytes", 512, 16..=8192) as usize,
            messages: from.rate("messages", (5.0, 20.0)),
            visitors: from.rate("visitors", (2.0, 60.0)),
            plugin_bytes: from.number("plugin_bytes", 33_554_432, 1024..=268_435_456) as usize,
            file_bytes: from.number("file_bytes", 10_485_760, 1024..=1_073_741_824),
            file_types: {
                let known = KINDS.map(|kind| kind.mime);
                let expected = format!("some of {}", known.join(", "));
                let rule = |text: &str| Kind::named(text).map(|kind| kind.mime);
                from.list("file_types", &known, &expected, rule)
            },
            files: {
                let per_minute = from.number("files_per_minute", 20, 1..=100_000) as f64;
                Rate { per_second: per_minute / 60.0, burst: per_minute }
            },
            conversation_files: from.number("conversation_files", 200, 1..=100_000),
        }
    }
}
