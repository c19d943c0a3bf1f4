//! The stored record: how a party and a body become columns and back. The format number is stored
//! with every row, so that a later program can read what this one wrote.

use crate::domain::event::EventBody;
use crate::domain::ids::{AgentId, VisitorId};
use crate::domain::people::Party;

/// JSON of `EventBody`.
pub(super) const FORMAT: i64 = 1;

/// Why a row cannot be read.
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
