//! One frame of a segment, format 1: `length u32 | CRC-32C u32 | ms u64 | n u64 | JSON of the event`, numbers
//! little-endian, length and checksum over what follows the checksum. Pure.

use crate::domain::event::Event;
use crate::stream::LogPosition;

/// Length and checksum.
const HEAD: usize = 8;
/// The position.
const PLACE: usize = 16;
/// No event is as long: a length above it is not one.
const MOST: usize = 16 << 20;

/// What stands at a place in a segment.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// A frame: the event, and where the next frame begins.
    Frame(LogPosition, Event, usize),
    /// Nothing more.
    End,
    /// Not a whole frame.
    Broken,
}

/// Puts a frame behind what `into` has.
pub(super) fn write(into: &mut Vec<u8>, at: LogPosition, event: &Event) -> serde_json::Result<()> {
    let begin = into.len();
    into.extend_from_slice(&[0; HEAD]);
    into.extend_from_slice(&at.ms.to_le_bytes());
    into.extend_from_slice(&at.n.to_le_bytes());
    if let Err(error) = serde_json::to_writer(&mut *into, event) {
        into.truncate(begin);
        return Err(error);
    }
    let body = &into[begin + HEAD..];
    let (length, sum) = (body.len() as u32, crc32c::crc32c(body));
    into[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    into[begin + 4..begin + HEAD].copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// What stands at `at`.
pub(super) fn read(bytes: &[u8], at: usize) -> Found {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Found::End;
    }
    frame(rest)
        .map_or(Found::Broken, |(position, event, long)| Found::Frame(position, event, at + long))
}

fn frame(rest: &[u8]) -> Option<(LogPosition, Event, usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    let (length, sum) = (number(0)? as usize, number(4)?);
    let body = rest.get(HEAD..HEAD + length).filter(|_| (PLACE..MOST).contains(&length))?;
    if crc32c::crc32c(body) != sum {
        return None;
    }
    let wide = |at: usize| Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?));
    let position = LogPosition { ms: wide(0)?, n: wide(8)? };
    let event = serde_json::from_slice(&body[PLACE..]).ok()?;
    Some((position, event, HEAD + length))
}
