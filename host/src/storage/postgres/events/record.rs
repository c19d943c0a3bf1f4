//! The archived record: how an event becomes columns and back. The format number is stored with every row, so that a
//! later program can read what this one wrote.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{AgentId, ConversationId, VisitorId};
use crate::domain::people::Party;
use crate::storage::columns::{json, signed};
use crate::storage::postgres::failed;
use crate::storage::{StorageError, Stored};

/// JSON of `EventBody`.
const FORMAT: i16 = 1;

/// A row of `events`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::storage) struct Record {
    pub(in crate::storage) conversation: i64,
    pub(in crate::storage) seq: i64,
    pub(in crate::storage) at: i64,
    pub(in crate::storage) sender_kind: i16,
    pub(in crate::storage) sender: i64,
    pub(in crate::storage) key: Option<String>,
    pub(in crate::storage) format: i16,
    pub(in crate::storage) body: String,
}

impl Record {
    pub(super) fn of(event: &Event) -> Stored<Self> {
        let (sender_kind, sender) = sender(event.from);
        Ok(Self {
            conversation: signed(event.conversation.get()),
            seq: signed(event.seq),
            at: signed(event.at),
            sender_kind,
            sender,
            key: event.key.as_ref().map(|key| key.as_str().to_owned()),
            format: FORMAT,
            body: json(&event.body)?,
        })
    }

    pub(super) fn read(row: &PgRow) -> Stored<Self> {
        Ok(Self {
            conversation: row.try_get(0).map_err(failed)?,
            seq: row.try_get(1).map_err(failed)?,
            at: row.try_get(2).map_err(failed)?,
            sender_kind: row.try_get(3).map_err(failed)?,
            sender: row.try_get(4).map_err(failed)?,
            key: row.try_get(5).map_err(failed)?,
            format: row.try_get(6).map_err(failed)?,
            body: row.try_get(7).map_err(failed)?,
        })
    }

    /// Its number.
    pub(super) fn number(&self) -> (i64, i64) {
        (self.conversation, self.seq)
    }

    /// Whether it says the same. Another version of this program may write the same body in other words.
    pub(super) fn same(&self, other: &Self) -> bool {
        let around =
            |record: &Self| (record.number(), record.at, record.sender_kind, record.sender);
        let said = || Some((self.said().ok()?, other.said().ok()?));
        around(self) == around(other)
            && self.key == other.key
            && ((self.format, &self.body) == (other.format, &other.body)
                || said().is_some_and(|(one, two)| one == two))
    }

    pub(super) fn event(&self) -> Stored<Event> {
        let (conversation, seq) = self.number();
        self.decoded().ok_or_else(|| StorageError::Corrupt {
            what: "event",
            why: format!("number {seq} of conversation {conversation}, format {}", self.format),
        })
    }

    fn decoded(&self) -> Option<Event> {
        let from = party(self.sender_kind, self.sender)?;
        let key = self.key.as_deref().map(str::parse).transpose().ok()?;
        Some(Event {
            conversation: ConversationId::new(self.conversation.cast_unsigned())?,
            seq: u64::try_from(self.seq).ok()?,
            at: u64::try_from(self.at).ok()?,
            from,
            key: key.filter(|_| from != Party::System),
            body: self.said().ok()?,
        })
    }

    fn said(&self) -> Result<EventBody, String> {
        match self.format {
            FORMAT => serde_json::from_str(&self.body).map_err(|error| error.to_string()),
            other => Err(format!("format {other} is unknown")),
        }
    }
}

/// `(sender_kind, sender)`.
pub(super) fn sender(party: Party) -> (i16, i64) {
    match party {
        Party::System => (0, 0),
        Party::Visitor(id) => (1, signed(id.get())),
        Party::Agent(id) => (2, signed(id.get())),
    }
}

fn party(kind: i16, id: i64) -> Option<Party> {
    let number = id.cast_unsigned();
    match kind {
        0 => Some(Party::System),
        1 => VisitorId::new(number).map(Party::Visitor),
        2 => AgentId::new(number).map(Party::Agent),
        _ => None,
    }
}
