//! Writing records, each once: the steps inside of one transaction.

use std::collections::HashMap;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Postgres as Engine, query};

use super::{Record, Written};
use crate::storage::columns::Columns;
use crate::storage::postgres::failed;
use crate::storage::{Stored, columns::RawRow};

/// Stores what is not there yet.
pub(in crate::storage) async fn store(
    connection: &mut PgConnection,
    mut records: Vec<Record>,
) -> Stored<Written> {
    if records.is_empty() {
        return Ok(Written::default());
    }
    let mut written = Written::default();
    let mut conflicts = Vec::new();
    // One order for every writer: none waits for another that waits for it.
    records.sort_by_key(Record::number);
    records.dedup_by(|later, first| {
        let twice = later.number() == first.number();
        if twice && later.same(first) {
            written.repeated += 1;
        } else if twice {
            conflicts.push(later.clone());
        }
        twice
    });
    let heads = hold(connection, &records).await?;
    let head = |record: &Record| heads.get(&record.conversation).copied().unwrap_or(0);
    let (known, mut fresh): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| record.seq <= head(record));
    let there = find(connection, &known).await?;
    for record in known {
        match there.get(&record.number()) {
            Some(kept) if kept.same(&record) => written.repeated += 1,
            Some(_) => conflicts.push(record),
            // It came after those behind it.
            None => fresh.push(record),
        }
    }
    written.added = insert(connection, &fresh).await?;
    written.conflicts = set_aside(connection, &conflicts).await?;
    raise(connection, &fresh).await?;
    Ok(written)
}

/// Holds the conversations of these records against other writers, and tells their last numbers.
async fn hold(connection: &mut PgConnection, records: &[Record]) -> Stored<HashMap<i64, i64>> {
    let mut conversations: Vec<i64> = records.iter().map(|record| record.conversation).collect();
    conversations.dedup();
    query(
        "INSERT INTO event_heads (conversation, head)
         SELECT conversation, 0 FROM UNNEST($1::bigint[]) AS conversation ON CONFLICT DO NOTHING",
    )
    .bind(&conversations)
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    let rows = query(
        "SELECT conversation, head FROM event_heads WHERE conversation = ANY($1)
         ORDER BY conversation FOR NO KEY UPDATE",
    )
    .bind(&conversations)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    rows.iter().map(head).collect()
}

fn head(row: &impl RawRow) -> Stored<(i64, i64)> {
    let columns = Columns::new("head", row);
    Ok((columns.number("conversation")?, columns.number("head")?))
}

/// What is there under these numbers. Nearly always it is in the partition of its own time; only what is not is looked
/// for in all of them.
async fn find(
    connection: &mut PgConnection,
    records: &[Record],
) -> Stored<HashMap<(i64, i64), Record>> {
    let mut found = HashMap::new();
    for sql in [
        "SELECT e.conversation, e.seq, e.at, e.sender_kind, e.sender, e.key, e.format, e.body
         FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) AS n (conversation, seq, at)
         JOIN events AS e USING (conversation, seq, at)",
        "SELECT e.conversation, e.seq, e.at, e.sender_kind, e.sender, e.key, e.format, e.body
         FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) AS n (conversation, seq, unlike)
         JOIN events AS e USING (conversation, seq)",
    ] {
        let missing = || records.iter().filter(|record| !found.contains_key(&record.number()));
        if missing().next().is_none() {
            break;
        }
        let rows = query(sql)
            .bind(missing().map(|record| record.conversation).collect::<Vec<_>>())
            .bind(missing().map(|record| record.seq).collect::<Vec<_>>())
            .bind(missing().map(|record| record.at).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
        for row in &rows {
            let record = Record::read(row)?;
            found.insert(record.number(), record);
        }
    }
    Ok(found)
}

async fn insert(connection: &mut PgConnection, records: &[Record]) -> Stored<u64> {
    run(
        connection,
        "INSERT INTO events (conversation, seq, at, sender_kind, sender, key, format, body)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[],
             $5::bigint[], $6::text[], $7::smallint[], $8::text[])",
        records,
    )
    .await
}

async fn set_aside(connection: &mut PgConnection, records: &[Record]) -> Stored<u64> {
    run(
        connection,
        "INSERT INTO event_conflicts
             (conversation, seq, at, sender_kind, sender, key, format, body)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[],
             $5::bigint[], $6::text[], $7::smallint[], $8::text[])
         ON CONFLICT DO NOTHING",
        records,
    )
    .await
}

/// The last numbers of the conversations that got new ones.
async fn raise(connection: &mut PgConnection, added: &[Record]) -> Stored<()> {
    let mut heads: HashMap<i64, i64> = HashMap::new();
    for record in added {
        let head = heads.entry(record.conversation).or_default();
        *head = record.seq.max(*head);
    }
    if heads.is_empty() {
        return Ok(());
    }
    let (conversations, heads): (Vec<_>, Vec<_>) = heads.into_iter().unzip();
    query(
        "UPDATE event_heads SET head = new.head
         FROM UNNEST($1::bigint[], $2::bigint[]) AS new (conversation, head)
         WHERE event_heads.conversation = new.conversation AND event_heads.head < new.head",
    )
    .bind(conversations)
    .bind(heads)
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Runs a statement with the records as eight arrays.
async fn run(connection: &mut PgConnection, sql: &'static str, records: &[Record]) -> Stored<u64> {
    if records.is_empty() {
        return Ok(0);
    }
    let done = with(query(sql), records).execute(connection).await.map_err(failed)?;
    Ok(done.rows_affected())
}

fn with<'q>(
    statement: Query<'q, Engine, PgArguments>,
    records: &'q [Record],
) -> Query<'q, Engine, PgArguments> {
    statement
        .bind(records.iter().map(|record| record.conversation).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.seq).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.at).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.sender_kind).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.sender).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.key.as_deref()).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.format).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.body.as_str()).collect::<Vec<_>>())
}
