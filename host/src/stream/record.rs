//! The stored record: how an event becomes bytes and back, for every stream. A format number is stored with every one,
//! so that a later program can read what this one wrote.
//!
//! The embedded stream keeps the parts in columns and only the body as bytes. Redis keeps a line:
//!
//! ```text
//! 1 12 1764033600000 389012345678901234 v42 k7 {"type":"message","text":"hi"}
//! ▲ ▲  ▲             ▲                  ▲   ▲  ▲
//! │ seq at (ms)      conversation       │   │  body, as JSON
//! format                                │   the sender's key
//!                                       sender: v<visitor>, a<agent>, s (the system)
//! ```
//! There is no newline in it. The server puts what is left of the conversation in front of the rest ([`rest`]).

use crate::domain::event::{Event, EventBody, NewEvent};
use crate::domain::ids::{AgentId, ClientKey, ConversationId, VisitorId};
use crate::domain::people::Party;

/// JSON of `EventBody`.
pub(super) const FORMAT: i64 = 1;

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadRecord {
    #[error("format {0} is unknown")]
    Format(i64),
    #[error("sender ({0}, {1}) is unknown")]
    Sender(i64, i64),
    #[error("{0}")]
    Body(#[from] serde_json::Error),
    #[error("column {0} has a value out of range")]
    Range(&'static str),
    #[error("its {0} is missing or wrong")]
    Part(&'static str),
}

pub(super) fn encode(body: &EventBody) -> Result<Vec<u8>, BadRecord> {
    Ok(serde_json::to_vec(body)?)
}

pub(super) fn decode(format: i64, body: &[u8]) -> Result<EventBody, BadRecord> {
    match format {
        FORMAT => Ok(serde_json::from_slice(body)?),
        other => Err(BadRecord::Format(other)),
    }
}

/// `(sender_kind, sender)`.
pub(super) fn sender(party: Party) -> (i64, i64) {
    match party {
        Party::System => (0, 0),
        Party::Visitor(id) => (1, id.get().cast_signed()),
        Party::Agent(id) => (2, id.get().cast_signed()),
    }
}

pub(super) fn party(kind: i64, id: i64) -> Result<Party, BadRecord> {
    let number = id.cast_unsigned();
    match kind {
        0 => Some(Party::System),
        1 => VisitorId::new(number).map(Party::Visitor),
        2 => AgentId::new(number).map(Party::Agent),
        _ => None,
    }
    .ok_or(BadRecord::Sender(kind, id))
}

/// A sender as a word.
pub(super) fn word(party: Party) -> String {
    match party {
        Party::System => "s".into(),
        Party::Visitor(id) => format!("v{id}"),
        Party::Agent(id) => format!("a{id}"),
    }
}

/// A line from the conversation on; format, `seq` and `at` are put before it when they are known.
pub(super) fn rest(event: &NewEvent) -> Result<Vec<u8>, BadRecord> {
    let (from, key) = (word(event.from), event.key.as_str());
    let mut line = format!("{} {from} {key} ", event.conversation).into_bytes();
    serde_json::to_writer(&mut line, &event.body)?;
    Ok(line)
}

/// An event from its line.
pub(super) fn event(line: &[u8]) -> Result<Event, BadRecord> {
    let mut parts = line.splitn(7, |byte| *byte == b' ');
    let mut part = |name| {
        let text = parts.next().and_then(|part| std::str::from_utf8(part).ok());
        text.ok_or(BadRecord::Part(name))
    };
    let format = number(part("format")?, "format")?;
    let (seq, at) = (number(part("seq")?, "seq")?, number(part("at")?, "at")?);
    let conversation: ConversationId = number(part("conversation")?, "conversation")?;
    let from = from_word(part("sender")?).ok_or(BadRecord::Part("sender"))?;
    let key: ClientKey = number(part("key")?, "key")?;
    let body = decode(format, part("body")?.as_bytes())?;
    let key = (from != Party::System).then_some(key);
    Ok(Event { conversation, seq, at, from, key, body })
}

fn number<T: std::str::FromStr>(text: &str, name: &'static str) -> Result<T, BadRecord> {
    text.parse().map_err(|_| BadRecord::Part(name))
}

fn from_word(word: &str) -> Option<Party> {
    match word.split_at_checked(1)? {
        ("s", "") => Some(Party::System),
        ("v", id) => id.parse().ok().map(Party::Visitor),
        ("a", id) => id.parse().ok().map(Party::Agent),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
