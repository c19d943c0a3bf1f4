//! The readers: a few connections, lent one at a time to a blocking thread.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, Row, params};
use tokio::sync::Semaphore;

use super::{record, schema};
use crate::domain::event::Event;
use crate::domain::ids::{ConversationId, Seq};
use crate::domain::people::Party;
use crate::stream::ReadError;

/// The pool.
pub(super) struct Readers {
    /// As many permits as connections.
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        let count = count.max(1);
        let idle: Vec<_> =
            (0..count).map(|_| schema::open_reader(path)).collect::<rusqlite::Result<_>>()?;
        Ok(Self { permits: Arc::new(Semaphore::new(count)), idle: Arc::new(Mutex::new(idle)) })
    }

    /// Has every connection look once for each kind of read: their statements are prepared, the file's first pages read.
    pub(super) async fn warm(&self) -> Result<(), ReadError> {
        let idle = Arc::clone(&self.idle);
        let Some(any) = ConversationId::new(1) else { return Ok(()) };
        let look = move || {
            // Those that are lent are warm already.
            let idle = idle.lock();
            idle.iter().try_for_each(|connection| {
                events(connection, any, 0, 1)?;
                let head = schema::head(connection, any);
                head.map(drop).map_err(|e| ReadError(e.to_string()))
            })
        };
        let stopped = |_| Err(ReadError("the read was stopped".into()));
        tokio::task::spawn_blocking(look).await.unwrap_or_else(stopped)
    }

    /// Runs `work` with a connection. Waits while all are lent. A connection whose work panicked
    /// comes back all the same: reads leave nothing behind.
    pub(super) async fn with<T, F>(&self, work: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| ReadError("it is closed".into()))?;
        let idle = Arc::clone(&self.idle);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let taken = idle.lock().pop();
            let lent = Lent { idle, connection: taken };
            match &lent.connection {
                Some(connection) => work(connection),
                None => Err(ReadError("no connection is left".into())),
            }
        })
        .await
        .unwrap_or_else(|_| Err(ReadError("the read was stopped".into())))
    }
}

/// Gives the connection back when dropped, before the permit is.
struct Lent {
    idle: Arc<Mutex<Vec<Connection>>>,
    connection: Option<Connection>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.lock().push(connection);
        }
    }
}

/// Up to `limit` events after `after`.
pub(super) fn events(
    connection: &Connection,
    conversation: ConversationId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Arc<Event>>, ReadError> {
    let failed = |e: rusqlite::Error| ReadError(e.to_string());
    let mut statement = connection
        .prepare_cached(
            "SELECT seq, at, sender_kind, sender, key, format, body FROM events
             WHERE conversation = ? AND seq > ? ORDER BY seq LIMIT ?",
        )
        .map_err(failed)?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows =
        statement.query(params![conversation.get().cast_signed(), after, limit]).map_err(failed)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let seq: i64 = row.get(0).map_err(failed)?;
        let event = event(conversation, seq, row).map_err(|why| {
            ReadError(format!("event {seq} of conversation {conversation} is unreadable: {why}"))
        })?;
        events.push(Arc::new(event));
    }
    Ok(events)
}

fn event(conversation: ConversationId, seq: i64, row: &Row<'_>) -> Result<Event, Unreadable> {
    let at: i64 = row.get(1)?;
    let from = record::party(row.get(2)?, row.get(3)?)?;
    let key = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
    let key = key.parse().map_err(|_| record::BadRecord::Range("key"))?;
    let body = row.get_ref(6)?.as_bytes().map_err(rusqlite::Error::from)?;
    Ok(Event {
        conversation,
        seq: seq.cast_unsigned(),
        at: u64::try_from(at).map_err(|_| record::BadRecord::Range("at"))?,
        from,
        key: (from != Party::System).then_some(key),
        body: record::decode(row.get(5)?, body)?,
    })
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    #[error(transparent)]
    Record(#[from] record::BadRecord),
}
