//! The parts, opened in the order of the layers; each gets its own settings and the handles it names.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::road;
use super::seams::Seams;
use super::{StartError, Wraps};
use crate::api::Api;
use crate::auth::Auth;
use crate::config::{self, Config};
use crate::conversations::{self, Conversations, FileLimits};
use crate::files::Files;
use crate::inspection::Inspection;
use crate::pipeline::Pipeline;
use crate::pipeline::closed::Closed;
use crate::plugins::{Budgets, Plugins, PluginsConfig};
use crate::presence::Presence;
use crate::routing::{self, Routing};
use crate::runtime::Clock;
use crate::sessions::{SessionLimits, Sessions};
use crate::storage::{self, PostgresConfig, StorageConfig};
use crate::stream::Stream;
use crate::telemetry::Meters;
use crate::transport::{self, Transport, TransportConfig};

/// Everything there is one of.
pub(super) struct Parts {
    pub(super) clock: Clock,
    pub(super) meters: Arc<Meters>,
    pub(super) storage: storage::Handle,
    pub(super) stream: Arc<dyn Stream>,
    pub(super) presence: Arc<Presence>,
    pub(super) plugins: Arc<Plugins>,
    pub(super) files: Arc<Files>,
    pub(super) auth: Arc<Auth>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) conversations: Arc<Conversations>,
    pub(super) routing: Arc<Routing>,
    pub(super) inspection: Arc<Inspection>,
    pub(super) closed: Arc<Closed>,
    /// Where the stream does not keep its events.
    pub(super) pipeline: Option<Arc<Pipeline>>,
    pub(super) transport: Arc<Transport>,
}

impl Parts {
    pub(super) async fn open(config: &Config, wraps: Wraps) -> Result<Self, StartError> {
        let dir = data_dir(config)?;
        let (clock, meters) = (Clock::system(), meters()?);
        let seams = Seams::open(config, dir, &clock).await?;
        let Seams { stream, storage, signals, moving } = seams.wrapped(wraps, &meters);
        let presence = Presence::new(clock.clone(), config.sessions.grace_ms, signals.clone());
        let plugins = Plugins::open(storage.clone(), plugins_config(config), clock.clone()).await?;
        let files = files(dir)?;
        let auth = Auth::open(storage.clone(), clock.clone(), config.auth.clone()).await?;
        let sessions =
            Sessions::new(stream.clone(), signals, clock.clone(), session_limits(config));
        let conversations = Conversations::new(conversations::Parts {
            storage: storage.clone(),
            stream: stream.clone(),
            plugins: plugins.clone(),
            sessions: sessions.clone(),
            presence: presence.clone(),
            clock: clock.clone(),
            files: files.clone(),
            limits: conversation_limits(config),
            file_limits: file_limits(config),
            settle_after: settle_after(config),
        });
        let routing = Routing::new(routing::Parts {
            storage: storage.clone(),
            stream: stream.clone(),
            plugins: plugins.clone(),
            sessions: sessions.clone(),
            presence: presence.clone(),
            conversations: conversations.clone(),
            clock: clock.clone(),
            declined_ms: config.routing.declined_ms,
        });
        let inspection = Inspection::new(
            storage.clone(),
            stream.clone(),
            plugins.clone(),
            sessions.clone(),
            clock.clone(),
        );
        let closed = Closed::new(storage.clone(), stream.clone(), inspection.clone());
        let pipeline = road::open(config, moving, &closed, &clock).await?;
        let parts = transport::Parts {
            sessions: sessions.clone(),
            presence: presence.clone(),
            conversations: conversations.clone(),
            auth: auth.clone(),
            storage: storage.clone(),
            clock: clock.clone(),
            meters: meters.clone(),
        };
        let transport = Transport::new(parts, transport_config(config));
        Ok(Self {
            clock,
            meters,
            storage,
            stream,
            presence,
            plugins,
            files,
            auth,
            sessions,
            conversations,
            routing,
            inspection,
            closed,
            pipeline,
            transport,
        })
    }

    /// What HTTP handlers work with.
    pub(super) fn api(&self, config: &Config) -> Arc<Api> {
        Arc::new(Api {
            storage: self.storage.clone(),
            auth: self.auth.clone(),
            conversations: self.conversations.clone(),
            sessions: self.sessions.clone(),
            presence: self.presence.clone(),
            plugins: self.plugins.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
            limits: config.limits.clone(),
            public_url: config.server.public_url.clone(),
            trusted_proxies: config.server.trusted_proxies.clone(),
            visitor_rates: Default::default(),
        })
    }

    /// Starts what runs by itself, the live tail before anything that appends.
    pub(super) async fn start(&self, services: &CancellationToken, tasks: &TaskTracker) {
        tasks.spawn(self.sessions.run(services.clone()));
        let shutdown = || services.clone();
        tasks.spawn(self.conversations.follow_others(services.clone()));
        let presence = (self.presence.clone(), shutdown());
        tasks.spawn(async move { presence.0.run(presence.1).await });
        let routing = (self.routing.clone(), shutdown());
        tasks.spawn(async move { routing.0.run(routing.1).await });
        match &self.pipeline {
            Some(pipeline) => drop(tasks.spawn(pipeline.clone().run(shutdown()))),
            None => {
                let closed = (self.closed.clone(), shutdown());
                tasks.spawn(async move { closed.0.follow(closed.1).await });
            }
        }
        let inspection = (self.inspection.clone(), shutdown());
        tasks.spawn(async move { inspection.0.run(inspection.1).await });
        let sweep = (self.conversations.clone(), shutdown());
        tasks.spawn(async move { sweep.0.sweep_files(sweep.1).await });
        if let Err(error) = self.conversations.recover().await {
            tracing::warn!(%error, "changes before the last stop are not all told yet");
        }
    }
}

fn meters() -> Result<Arc<Meters>, StartError> {
    Meters::new().map(Arc::new).map_err(|error| StartError::Telemetry(error.to_string()))
}

/// The data directory, made if need be, for its owner only.
fn data_dir(config: &Config) -> Result<&Path, StartError> {
    let dir = &config.server.data_dir;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map(|()| dir.as_path()).map_err(|why| StartError::DataDir { path: dir.clone(), why })
}

fn files(dir: &Path) -> Result<Arc<Files>, StartError> {
    let unusable = |why| StartError::DataDir { path: dir.join("files"), why };
    Files::open(dir).map(Arc::new).map_err(unusable)
}

/// Which storage a config means.
pub(crate) fn storage_config(config: &Config) -> StorageConfig {
    let config::Storage { url, connections, .. } = &config.storage;
    if url.is_empty() {
        return StorageConfig::Sqlite(config.server.data_dir.clone());
    }
    StorageConfig::Postgres(PostgresConfig {
        url: url.whole().to_owned(),
        connections: *connections,
        acquire_timeout: Duration::from_millis(config.storage.acquire_timeout_ms),
        statement_timeout: Duration::from_millis(config.storage.statement_timeout_ms),
        lock_timeout: Duration::from_millis(config.storage.lock_timeout_ms),
    })
}

/// How old a stored change must be until it is taken for one that a dead node left untold: older than any append that is
/// still tried. Where there is one node, whatever is untold at its start was left by a crash.
fn settle_after(config: &Config) -> Duration {
    let tried = config.redis.append_timeout_ms + config.redis.command_timeout_ms;
    let redis = !config.redis.url.is_empty();
    if redis { Duration::from_millis(2 * tried) } else { Duration::ZERO }
}

fn conversation_limits(config: &Config) -> conversations::Limits {
    conversations::Limits {
        text_bytes: config.limits.text_bytes,
        field_bytes: config.limits.field_bytes,
        rate: config.limits.messages,
    }
}

fn file_limits(config: &Config) -> FileLimits {
    FileLimits {
        bytes: config.limits.file_bytes,
        types: config.limits.file_types.clone(),
        rate: config.limits.files,
        per_conversation: config.limits.conversation_files,
    }
}

fn plugins_config(config: &Config) -> PluginsConfig {
    let config::Plugins { routing, filter, inspection, .. } = config.plugins;
    PluginsConfig {
        require: config.plugins.require,
        total_memory_mb: config.plugins.total_memory_mb,
        instance_memory_mb: config.plugins.instance_memory_mb,
        quarantine_after: config.plugins.quarantine_after,
        budgets: Budgets {
            routing: (routing.fuel, routing.deadline_ms),
            filter: (filter.fuel, filter.deadline_ms),
            inspection: (inspection.fuel, inspection.deadline_ms),
        },
    }
}

fn session_limits(config: &Config) -> SessionLimits {
    SessionLimits {
        outbox_items: config.transport.outbox_frames,
        outbox_bytes: config.transport.outbox_bytes,
        follows: config.sessions.follows,
        per_party: config.sessions.per_person,
        heal_page: config.sessions.heal_page,
        commands: config.sessions.commands,
        heartbeat_ms: config.transport.heartbeat_ms,
        idle_timeout_ms: config.transport.idle_timeout_ms,
    }
}

fn transport_config(config: &Config) -> TransportConfig {
    TransportConfig {
        connections: config.transport.connections,
        connects: config.transport.connects,
        hello_timeout_ms: config.transport.hello_timeout_ms,
        write_timeout_ms: config.transport.write_timeout_ms,
        poll_wait_ms: config.transport.poll_wait_ms,
        frame_bytes: config.transport.frame_bytes,
        text_bytes: config.limits.text_bytes,
        in_flight: config.transport.in_flight,
        public_url: config.server.public_url.clone(),
        trusted_proxies: config.server.trusted_proxies.clone(),
    }
}
