//! Which stream and which storage a config means, opened in the order they need.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::metered::Metered;
use super::parts::storage_config;
use super::{StartError, Wraps};
use crate::config::Config;
use crate::runtime::Clock;
use crate::storage::{self, Archived};
use crate::stream::{self, Log, RedisConfig, Signals, Stream, StreamLimits};
use crate::telemetry::Meters;

/// What was opened.
pub(super) struct Seams {
    pub(super) stream: Arc<dyn Stream>,
    pub(super) storage: storage::Handle,
    /// The way to the other nodes; `None`: there are none.
    pub(super) signals: Option<Arc<Signals>>,
    /// Where the stream does not keep its events: what has to move on, and where to.
    pub(super) moving: Option<(Arc<dyn Log>, Archived)>,
}

impl Seams {
    pub(super) async fn open(
        config: &Config,
        dir: &Path,
        clock: &Clock,
    ) -> Result<Self, StartError> {
        let Some(redis) = redis_config(config) else {
            // The stream first: it locks the directory.
            let stream = stream::open(dir, clock.clone(), stream_limits(config))?;
            let storage = storage::open(&storage_config(config)).await?.storage;
            return Ok(Self { stream, storage, signals: None, moving: None });
        };
        let storage::Opened { storage, archived } = storage::open(&storage_config(config)).await?;
        let archived = archived.ok_or(StartError::NoArchive)?;
        let opened = stream::open_redis(redis, Arc::new(archived.clone()), clock.clone()).await?;
        let moving = Some((opened.log, archived));
        Ok(Self { stream: opened.stream, storage, signals: Some(opened.signals), moving })
    }

    /// The same, metered, and with what a test puts around them.
    pub(super) fn wrapped(self, wraps: Wraps, meters: &Arc<Meters>) -> Self {
        let moving = self.moving.map(|(log, archived)| ((wraps.log)(log), archived));
        let stream = Metered::over((wraps.stream)(self.stream), meters);
        Self { stream, moving, ..self }
    }
}

/// The stream in Redis, if the config names one.
pub(crate) fn redis_config(config: &Config) -> Option<RedisConfig> {
    let (redis, stream) = (&config.redis, &config.stream);
    (!redis.url.is_empty()).then(|| RedisConfig {
        urls: redis.url.whole().split(',').map(str::to_owned).collect(),
        prefix: redis.prefix.clone(),
        partitions: config.cluster.partitions,
        command_timeout: Duration::from_millis(redis.command_timeout_ms),
        append_timeout: Duration::from_millis(redis.append_timeout_ms),
        queue: stream.waiting,
        queue_bytes: stream.waiting_bytes,
        batch: redis.batch_events,
        batch_bytes: redis.batch_bytes,
        recent: redis.recent,
        idle: Duration::from_millis(redis.idle_ms),
        tail: stream.tail_commits,
    })
}

fn stream_limits(config: &Config) -> StreamLimits {
    StreamLimits {
        queue: config.stream.waiting,
        queue_bytes: config.stream.waiting_bytes,
        batch: config.stream.batch_events,
        batch_bytes: config.stream.batch_bytes,
        heads: config.stream.heads,
        readers: config.stream.readers,
        tail: config.stream.tail_commits,
        max_bytes: config.stream.max_bytes,
    }
}
