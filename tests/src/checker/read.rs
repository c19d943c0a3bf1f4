//! Reads what is kept where: the embedded stream's file, and in a cluster Redis, SQL and the topic in Kafka. It uses none
//! of the server's own readers, only what is documented (docs/JOURNAL.md) or drawn in the headers of what writes it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::{Kept, Stream};
use crate::log::Who;

/// The last `seq` of each conversation.
pub type Heads = BTreeMap<String, u64>;

/// An event as one of the places keeps it, and of which conversation it is.
pub type Record = (String, Kept);

/// Longest wait for an answer of Kafka's.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything SQL has, in order.
const ARCHIVE: &str = "SELECT json_build_array(conversation::text, seq, at, sender_kind, \
                       sender::text, coalesce(key, ''), body) \
                       FROM events ORDER BY conversation, seq, at";

/// `ARGV[1]`: what the keys begin with. Every record of the partitions' logs and of the recent logs.
const RECORDS: &str = "local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('TYPE', key).ok == 'stream' then
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
      found[#found + 1] = entry[2][2]
    end
  end
end
return found";

/// `ARGV[1]`: what the keys begin with. Each conversation with its head.
const HEADS: &str = "local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':c:*')) do
  local head = redis.call('HGET', key, 'head')
  if head then
    found[#found + 1] = string.match(key, '%d+$') .. ' ' .. head
  end
end
return found";

/// Reads `stream.db` in a data directory without writing to it.
///
/// # Errors
/// When it cannot be read.
pub fn read_stream(data: &Path) -> anyhow::Result<Stream> {
    let path = data.join("stream.db");
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| path.display().to_string())?;
    let mut rows = db.prepare(
        "SELECT conversation, seq, at, sender_kind, sender, key, body FROM events \
         ORDER BY conversation, seq",
    )?;
    let mut stream = Stream::new();
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let kept = Kept {
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            at: row.get::<_, i64>(2)?.cast_unsigned(),
            from: who(row.get(3)?, &row.get::<_, i64>(4)?.to_string()),
            key: row.get(5)?,
            body: serde_json::from_slice(&row.get::<_, Vec<u8>>(6)?)?,
        };
        stream.entry(row.get::<_, i64>(0)?.to_string()).or_default().push(kept);
    }
    Ok(stream)
}

/// Everything PostgreSQL has, by whatever asks it.
///
/// # Errors
/// When it does not answer, or a row is not an event.
pub fn read_sql(ask: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<Stream> {
    let mut stream = Stream::new();
    for line in ask(ARCHIVE)?.lines() {
        let (conversation, kept) = row(line).with_context(|| line.to_owned())?;
        stream.entry(conversation).or_default().push(kept);
    }
    Ok(stream)
}

/// Every copy of an event that one Redis server has of an installation, in no order, by whatever asks it.
///
/// # Errors
/// When it does not answer, or a record is not an event.
pub fn read_redis(
    ask: impl Fn(&[&str]) -> anyhow::Result<String>,
    prefix: &str,
) -> anyhow::Result<Vec<Record>> {
    let lines = ask(&["EVAL", RECORDS, "0", &format!("{{{prefix}:p*")])?;
    lines.lines().map(|text| line(text).with_context(|| text.to_owned())).collect()
}

/// The last `seq` that Redis gave in each conversation it knows.
///
/// # Errors
/// When it does not answer.
pub fn read_heads(
    ask: impl Fn(&[&str]) -> anyhow::Result<String>,
    prefix: &str,
) -> anyhow::Result<Heads> {
    heads(&ask(&["EVAL", HEADS, "0", &format!("{{{prefix}:p*")])?)
}

/// Lines of a conversation and its head.
///
/// # Errors
/// When they are something else.
pub fn heads(text: &str) -> anyhow::Result<Heads> {
    let head = |line: &str| {
        let (conversation, head) = line.split_once(' ').context("no head")?;
        anyhow::Ok((conversation.to_owned(), head.parse()?))
    };
    text.lines().map(|line| head(line).with_context(|| line.to_owned())).collect()
}

/// The records of a topic as any consumer gets them, partition by partition in order, those that come again included.
/// Waits until each conversation has come to its head, or `within` is over: what is missing then is for the checker.
///
/// # Errors
/// When Kafka does not answer, or a record is not as docs/JOURNAL.md says.
pub fn read_topic(
    brokers: &str,
    topic: &str,
    until: &Heads,
    within: Duration,
) -> anyhow::Result<Vec<Record>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "someone-else");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let known = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let mut all = TopicPartitionList::new();
    for partition in known.topics().iter().flat_map(|topic| topic.partitions()) {
        all.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    ensure!(all.count() > 0, "there is no topic {topic}");
    consumer.assign(&all)?;
    let (mut copies, mut lacking) = (Vec::new(), until.clone());
    let deadline = Instant::now() + within;
    loop {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                let (conversation, kept) = record(&message)?;
                if lacking.get(&conversation).is_some_and(|head| *head <= kept.seq) {
                    lacking.remove(&conversation);
                }
                copies.push((conversation, kept));
            }
            // Librdkafka goes on by itself.
            Some(Err(_)) | None if Instant::now() > deadline => return Ok(copies),
            None if lacking.is_empty() => return Ok(copies),
            Some(Err(_)) | None => {}
        }
    }
}

fn who(kind: i64, id: &str) -> Who {
    let kind = match kind {
        1 => "visitor",
        2 => "agent",
        _ => "system",
    };
    (kind.to_owned(), id.to_owned())
}

/// A row of [`ARCHIVE`].
fn row(line: &str) -> anyhow::Result<Record> {
    type Row = (String, u64, u64, i64, String, String, String);
    let (conversation, seq, at, kind, sender, key, body): Row = serde_json::from_str(line)?;
    let body = serde_json::from_str(&body)?;
    Ok((conversation, Kept { seq, at, from: who(kind, &sender), key, body }))
}

/// A record in Redis: `format seq at conversation sender key body`.
fn line(text: &str) -> anyhow::Result<Record> {
    let parts: Vec<_> = text.splitn(7, ' ').collect();
    let [format, seq, at, conversation, sender, key, body] = parts[..] else {
        bail!("{} parts", parts.len());
    };
    ensure!(format == "1", "format {format}");
    let (from, key) = match sender.split_at_checked(1) {
        Some(("v", id)) => (who(1, id), key),
        Some(("a", id)) => (who(2, id), key),
        // The system's keys stay in Redis.
        Some(("s", "")) => (who(0, "0"), ""),
        _ => bail!("sender {sender}"),
    };
    let (seq, at) = (seq.parse()?, at.parse()?);
    let body = serde_json::from_str(body)?;
    Ok((conversation.to_owned(), Kept { seq, at, from, key: key.to_owned(), body }))
}

/// A record of the topic.
fn record(message: &BorrowedMessage<'_>) -> anyhow::Result<Record> {
    let format = message.headers().and_then(|all| all.iter().find(|h| h.key == "kefu-format"));
    let format = format.and_then(|header| header.value);
    let place = || format!("partition {}, offset {}", message.partition(), message.offset());
    entry(format, message.key(), message.payload().unwrap_or_default()).with_context(place)
}

/// What a record says, by the header `kefu-format`, its key and its value.
fn entry(format: Option<&[u8]>, key: Option<&[u8]>, json: &[u8]) -> anyhow::Result<Record> {
    ensure!(format == Some(b"1"), "format {format:?}");
    let (conversation, kept) = value(json)?;
    ensure!(key == Some(conversation.as_bytes()), "its key is another");
    Ok((conversation, kept))
}

/// The value of a record of the topic.
fn value(json: &[u8]) -> anyhow::Result<Record> {
    let Value::Object(mut fields) = serde_json::from_slice(json)? else { bail!("no object") };
    let mut take = |name: &str| fields.remove(name);
    ensure!(take("format") == Some(1.into()), "its format is not 1");
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    let number = |value: Option<Value>| value.and_then(|value| value.as_u64());
    let conversation = text(take("conversation")).context("no conversation")?;
    let (seq, at) = (number(take("seq")).context("no seq")?, number(take("at")).context("no at")?);
    let key = text(take("key")).unwrap_or_default();
    let from = take("from").ok_or_else(|| anyhow!("from nobody"))?;
    let kind = from["kind"].as_str().unwrap_or_default().to_owned();
    let from = (kind, from["id"].as_str().unwrap_or("0").to_owned());
    Ok((conversation, Kept { seq, at, from, key, body: Value::Object(fields) }))
}

#[cfg(test)]
mod tests;
