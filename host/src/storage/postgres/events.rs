//! The archive: events as rows, for a stream that does not keep them for ever.
//!
//! Anything may be written any number of times, by any number of writers. `(conversation, seq)` is one event: the
//! conversation's row in `event_heads` is held while its events are written, and a number that may be there already is
//! looked up. What is there with the same content is left alone; what is there with another content (another `at` is
//! another content) is kept in `event_conflicts` and counted. Positions of sources commit with the rows.
//!
//! It does not number, de-duplicate by key, or ask whether there are holes: that is the stream's business.

mod record;
mod store;

#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::postgres::PgConnection;
use sqlx::query;

use super::{Postgres, failed};
use crate::domain::event::Event;
use crate::domain::ids::{ClientKey, ConversationId, Millis, Seq};
use crate::domain::people::Party;
use crate::storage::Stored;
use crate::storage::columns::{Columns, signed};
pub(in crate::storage) use record::Record;
pub(in crate::storage) use store::store;

/// The months that are ready reach at least this far beyond the newest event.
const AHEAD_MS: i64 = 20 * 86_400_000;
/// Months that cannot be made ready now are tried again after this; meanwhile the net takes what comes.
const AGAIN: Duration = Duration::from_secs(60);

/// What the archive reads; each has its own positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The stream's partition logs.
    Log,
    /// The journal.
    Journal,
    /// Where the logs stood when the journal was first turned on; written once.
    Begin,
    /// The lease of the last owner.
    Owner,
}

impl Source {
    fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Journal => "journal",
            Self::Begin => "begin",
            Self::Owner => "owner",
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Events that were not there.
    pub added: u64,
    /// Events that were there already, the same.
    pub repeated: u64,
    /// Events whose number another event has, kept aside now (not those kept aside before).
    pub conflicts: u64,
}

/// The handle.
#[derive(Clone)]
pub struct Archived {
    sql: Postgres,
    months: Arc<Mutex<Months>>,
}

/// Which months have a partition: `from <= at < until`, ms.
#[derive(Debug, Default)]
struct Months {
    from: i64,
    until: i64,
    /// Not tried before.
    again: Option<Instant>,
}

impl Archived {
    pub(in crate::storage) fn new(sql: Postgres) -> Self {
        Self { sql, months: Arc::default() }
    }

    /// Writes a batch and how far its sources were read, in one transaction. Later positions of one source and partition
    /// win over earlier ones. A batch may be empty.
    ///
    /// # Errors
    /// Nothing was written, or (`Unavailable`) it is unknown: write it again.
    pub async fn write(
        &self,
        batch: &[impl Borrow<Event> + Sync],
        positions: &[(u16, Source, String)],
    ) -> Stored<Written> {
        let records: Vec<Record> =
            batch.iter().map(|event| Record::of(event.borrow())).collect::<Stored<_>>()?;
        self.prepare(&records).await;
        self.sql
            .within(async {
                let mut transaction = self.sql.begin().await?;
                let written = store(&mut transaction, records).await?;
                keep_positions(&mut transaction, positions).await?;
                transaction.commit().await.map_err(failed)?;
                Ok(written)
            })
            .await
    }

    /// How far a source was read, by partition.
    ///
    /// # Errors
    /// Storage is away.
    pub async fn positions(&self, source: Source) -> Stored<Vec<(u16, String)>> {
        let rows = query(
            "SELECT partition, position FROM archive_positions WHERE source = $1
             ORDER BY partition",
        );
        let read = |row: &_| {
            let columns = Columns::new("archive position", row);
            Ok((columns.number("partition")?, columns.text("position")?))
        };
        self.sql.all(rows.bind(source.word()), read).await
    }

    /// Up to `limit` events with `seq > after`, in order.
    ///
    /// # Errors
    /// Storage is away, or holds an event that this version cannot read.
    pub async fn events(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Stored<Vec<Arc<Event>>> {
        let rows = query(
            "SELECT conversation, seq, at, sender_kind, sender, key, format, body FROM events
             WHERE conversation = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(signed(conversation.get()))
        .bind(signed(after))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.sql.all(rows, |row| Ok(Arc::new(Record::read(row)?.event()?))).await
    }

    /// The time of the first event at or after `from`. Looks through all of them.
    ///
    /// # Errors
    /// As [`Self::events`].
    pub async fn first(&self, from: Millis) -> Stored<Option<Millis>> {
        let first = query("SELECT min(at) AS at FROM events WHERE at >= $1 HAVING count(*) > 0");
        let read = |row: &_| Columns::new("event", row).number("at");
        self.sql.one(first.bind(signed(from)), read).await
    }

    /// Events with `from <= at < until`, at most `limit`, by time and, within a conversation, by number.
    ///
    /// # Errors
    /// As [`Self::events`].
    pub async fn span(&self, from: Millis, until: Millis, limit: usize) -> Stored<Vec<Arc<Event>>> {
        let rows = query(
            "SELECT conversation, seq, at, sender_kind, sender, key, format, body FROM events
             WHERE at >= $1 AND at < $2 ORDER BY at, conversation, seq LIMIT $3",
        )
        .bind(signed(from))
        .bind(signed(until))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.sql.all(rows, |row| Ok(Arc::new(Record::read(row)?.event()?))).await
    }

    /// The last `seq`, 0 for a conversation without events.
    ///
    /// # Errors
    /// Storage is away.
    pub async fn head(&self, conversation: ConversationId) -> Stored<Seq> {
        let head = query("SELECT head FROM event_heads WHERE conversation = $1")
            .bind(signed(conversation.get()));
        let head = self.sql.one(head, |row| Columns::new("head", row).number("head")).await?;
        Ok(head.unwrap_or(0))
    }

    /// What the first event of this sender and key got.
    ///
    /// # Errors
    /// Storage is away.
    pub async fn receipt(
        &self,
        conversation: ConversationId,
        from: Party,
        key: &ClientKey,
    ) -> Stored<Option<(Seq, Millis)>> {
        let (kind, sender) = record::sender(from);
        let found = query(
            "SELECT seq, at FROM events
             WHERE conversation = $1 AND key = $2 AND sender_kind = $3 AND sender = $4
             ORDER BY seq LIMIT 1",
        )
        .bind(signed(conversation.get()))
        .bind(key.as_str())
        .bind(kind)
        .bind(sender);
        let read = |row: &_| {
            let columns = Columns::new("event", row);
            Ok((columns.number("seq")?, columns.number("at")?))
        };
        self.sql.one(found, read).await
    }

    /// Makes the partitions that these records and the weeks after them need. Without them the net takes the records.
    async fn prepare(&self, records: &[Record]) {
        let Some((first, last)) = span(records.iter().map(|record| record.at)) else { return };
        {
            let months = self.months.lock();
            let ready = first >= months.from && last.saturating_add(AHEAD_MS) < months.until;
            if ready || months.again.is_some_and(|again| Instant::now() < again) {
                return;
            }
        }
        let sql = query("SELECT ready_from, ready_until FROM prepare_events($1, $2)");
        let read = |row: &_| {
            let columns = Columns::new("month", row);
            Ok((columns.number("ready_from")?, columns.number("ready_until")?))
        };
        match self.sql.one(sql.bind(first).bind(last), read).await {
            Ok(Some((from, until))) => {
                let mut months = self.months.lock();
                // Not joined with what was ready before: there may be months between that are not.
                *months = Months { from, until, again: None };
                if first < from || last >= until {
                    months.again = Some(Instant::now() + AGAIN);
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "partitions of the archive are made later");
                self.months.lock().again = Some(Instant::now() + AGAIN);
            }
        }
    }
}

/// From when to when partitions are wanted; no event of kefu is older than kefu.
pub(in crate::storage) fn span(times: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
    const FIRST_DAY: i64 = 1_704_067_200_000;
    let wanted = times.filter(|at| *at >= FIRST_DAY);
    wanted.fold(None, |span, at| {
        let (first, last) = span.unwrap_or((at, at));
        Some((at.min(first), at.max(last)))
    })
}

async fn keep_positions(
    connection: &mut PgConnection,
    positions: &[(u16, Source, String)],
) -> Stored<()> {
    let last: BTreeMap<(Source, u16), &str> = positions
        .iter()
        .map(|(partition, source, position)| ((*source, *partition), position.as_str()))
        .collect();
    if last.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO archive_positions (source, partition, position)
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::text[])
         ON CONFLICT (source, partition) DO UPDATE SET position = excluded.position",
    )
    .bind(last.keys().map(|(source, _)| source.word()).collect::<Vec<_>>())
    .bind(last.keys().map(|(_, partition)| i64::from(*partition)).collect::<Vec<_>>())
    .bind(last.values().copied().collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}
