//! Rules between keys: values that are good each by itself and make no sense together.

use super::Config;
use super::reader::Reader;

/// JSON writes one byte of a text as up to six (`\u0000`); the rest of a frame is short.
const ESCAPED: usize = 6;
const AROUND_A_TEXT: usize = 1024;

pub(super) fn check(config: &Config, reader: &mut Reader) {
    let Config { transport, limits, stream, plugins, redis, .. } = config;
    let quiet =
        "something shorter than transport.idle_timeout: a quiet client is not a vanished one";
    for (key, ms) in [
        ("transport.heartbeat", transport.heartbeat_ms),
        ("transport.poll_wait", transport.poll_wait_ms),
    ] {
        reader.rule([key, "transport.idle_timeout"], ms < transport.idle_timeout_ms, quiet);
    }
    let archived = redis.url.is_empty() || !config.storage.url.is_empty();
    let expected =
        "a `postgres://` address in storage.url: Redis keeps only what is on its way there";
    reader.rule(["redis.url", "storage.url"], archived, expected);
    let streamed = config.kafka.brokers.is_empty() || !redis.url.is_empty();
    let expected = "a `redis://` address in redis.url: only what is in Redis goes on to Kafka";
    reader.rule(["kafka.brokers", "redis.url"], streamed, expected);
    let tried = redis.append_timeout_ms > redis.command_timeout_ms;
    let expected =
        "something longer than redis.command_timeout, so that a lost answer is asked for again";
    reader.rule(["redis.append_timeout", "redis.command_timeout"], tried, expected);
    let least = limits.text_bytes * ESCAPED + AROUND_A_TEXT;
    let expected = format!("at least {least}, so that the longest text fits a frame");
    let fits = transport.frame_bytes >= least;
    reader.rule(["transport.frame_bytes", "limits.text_bytes"], fits, &expected);
    for (key, other, fits) in [
        (
            "transport.outbox_bytes",
            "transport.frame_bytes",
            transport.outbox_bytes >= transport.frame_bytes,
        ),
        ("stream.waiting", "stream.batch_events", stream.waiting >= stream.batch_events),
        ("stream.waiting_bytes", "stream.batch_bytes", stream.waiting_bytes >= stream.batch_bytes),
        ("stream.waiting", "redis.batch_events", stream.waiting >= redis.batch_events),
        (
            "plugins.total_memory_mb",
            "plugins.instance_memory_mb",
            plugins.total_memory_mb >= plugins.instance_memory_mb,
        ),
    ] {
        reader.rule([key, other], fits, &format!("at least {other}"));
    }
}
