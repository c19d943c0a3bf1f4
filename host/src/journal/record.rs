//! The journal's record, format 1, as docs/JOURNAL.md promises it to other programs: key, value and headers to and from
//! an event. The fixtures in `record/v1.jsonl` are kept as they were written and must be read for ever.
//!
//! A record from someone else, or from a later kefu, is not an event and not a reason to stop: it is told apart.

use crate::domain::event::Event;
use crate::stream::LogPosition;

use super::Stamp;

/// The value is the event as JSON with `"format":1` in front.
pub(super) const FORMAT: u8 = 1;

pub(super) const FORMAT_HEADER: &str = "kefu-format";
pub(super) const EPOCH_HEADER: &str = "kefu-epoch";
pub(super) const POSITION_HEADER: &str = "kefu-position";

/// Why a record is not an event of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRecord {
    #[error("it has no header {FORMAT_HEADER}")]
    Foreign,
    #[error("it has format {0}, this version knows {FORMAT}")]
    Format(String),
    #[error("its header {0} cannot be read")]
    Header(&'static str),
    #[error("its value cannot be read: {0}")]
    Value(String),
}

/// The value.
pub(super) fn encode(event: &Event) -> serde_json::Result<Vec<u8>> {
    let mut value = Vec::with_capacity(256);
    value.extend_from_slice(b"{\"format\":1,");
    let begin = value.len() - 1;
    serde_json::to_writer(&mut value, event)?;
    // The event's own brace follows the comma: the two become one object.
    value.remove(begin + 1);
    Ok(value)
}

/// The headers that a record of ours has, as they were found.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Headers<'a> {
    pub(super) format: Option<&'a [u8]>,
    pub(super) epoch: Option<&'a [u8]>,
    pub(super) position: Option<&'a [u8]>,
}

impl Headers<'_> {
    /// The stamp, of a record that the road wrote.
    pub(super) fn stamp(&self) -> Result<Option<Stamp>, BadRecord> {
        let format = self.format.ok_or(BadRecord::Foreign)?;
        if format != FORMAT.to_string().as_bytes() {
            return Err(BadRecord::Format(String::from_utf8_lossy(format).into_owned()));
        }
        let (Some(epoch), Some(position)) = (self.epoch, self.position) else { return Ok(None) };
        let epoch = read::<u64>(epoch).ok_or(BadRecord::Header(EPOCH_HEADER))?;
        let position = read::<LogPosition>(position).ok_or(BadRecord::Header(POSITION_HEADER))?;
        Ok(Some(Stamp { epoch, position }))
    }
}

fn read<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

pub(super) fn decode(value: &[u8]) -> Result<Event, BadRecord> {
    serde_json::from_slice(value).map_err(|error| BadRecord::Value(error.to_string()))
}

#[cfg(test)]
mod tests;
