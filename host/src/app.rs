//! The composition root: the one place that knows every part. `build` opens and connects them, `run` serves until told
//! to stop and then drains: no new work, goodbyes, what was accepted becomes durable, the end.

mod body;
mod care;
mod exposure;
mod listen;
mod metered;
mod parts;
mod road;
mod seams;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, LocalAdmin};
use crate::auth::FirstAdmin;
use crate::config::Config;
use crate::domain::refusal::Refusal;
use crate::health::{self, Health};
use crate::journal::JournalError;
use crate::plugins::PluginError;
use crate::spool::SpoolError;
use crate::storage::StorageError;
use crate::stream::{self, Log, Stream};
use crate::transport;
use care::Care;
pub use exposure::Exposure;
use parts::Parts;
pub(crate) use parts::storage_config;
pub(crate) use road::journal_settings;
pub(crate) use seams::redis_config;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says it itself")]
pub enum StartError {
    #[error("{path} cannot be used (server.data_dir): {why}")]
    DataDir { path: PathBuf, why: std::io::Error },
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Stream(#[from] stream::OpenError),
    #[error("the stream in Redis needs its archive in PostgreSQL (storage.url)")]
    NoArchive,
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Plugins(#[from] PluginError),
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("figures: {0}")]
    Telemetry(String),
    #[error("it cannot be served: {0}")]
    Serve(#[from] std::io::Error),
}

/// Put around a part before anything uses it.
type Around<T> = Box<dyn FnOnce(Arc<T>) -> Arc<T> + Send>;

/// What is put around the stream's seams: tests break their promises on purpose to see the checker notice.
pub struct Wraps {
    /// Around the stream.
    pub stream: Around<dyn Stream>,
    /// Around its partition logs, where it has any.
    pub log: Around<dyn Log>,
}

impl Default for Wraps {
    fn default() -> Self {
        Self { stream: Box::new(|stream| stream), log: Box::new(|log| log) }
    }
}

/// A server, put together and not yet serving.
pub struct App {
    config: Config,
    parts: Parts,
    care: Care,
    health: Arc<Health>,
    router: Router,
}

impl App {
    /// Where the control socket of a server with this config is.
    #[must_use]
    pub fn socket_path(config: &Config) -> PathBuf {
        config.server.data_dir.join("kefu.sock")
    }

    /// Opens the data and connects all parts. Nothing runs and nothing listens yet.
    ///
    /// # Errors
    /// The first part that cannot be opened.
    pub async fn build(config: Config) -> Result<Self, StartError> {
        Self::build_with(config, Wraps::default()).await
    }

    /// As [`App::build`], with seams wrapped.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn build_with(config: Config, wraps: Wraps) -> Result<Self, StartError> {
        let parts = Parts::open(&config, wraps).await?;
        parts.plugins.install_shipped().await.map_err(PluginError::from)?;
        let api = parts.api(&config);
        let care = Care::new(&parts, &config);
        let health = Arc::new(Health {
            api: api.clone(),
            meters: parts.meters.clone(),
            pipeline: parts.pipeline.clone(),
            watch: care.watch.clone(),
            warmth: care.warmth.clone(),
            draining: false.into(),
        });
        let (probes, promised) = health::routes(health.clone());
        let others = transport::routes(parts.transport.clone()).merge(probes);
        let router = api::routes(api.clone(), others, promised)
            .layer(axum::middleware::from_fn_with_state(api, api::allow_sites))
            .layer(axum::middleware::from_fn_with_state(parts.meters.clone(), api::watch));
        Ok(Self { config, parts, care, health, router })
    }

    /// The account of the first start, when there is none at all yet.
    ///
    /// # Errors
    /// What storage says.
    pub async fn first_admin(&self) -> Result<Option<FirstAdmin>, StartError> {
        Ok(self.parts.auth.first_admin().await?)
    }

    /// The router as the control socket sees it: who may open the socket is an admin.
    pub fn local_router(&self) -> Router {
        let exposure = Exposure::of(&self.config.server).route();
        self.router.clone().merge(exposure).layer(Extension(LocalAdmin))
    }

    /// Serves until `shutdown`, then drains.
    ///
    /// # Errors
    /// When the control socket cannot be made or the listener fails.
    pub async fn run(
        mut self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), StartError> {
        self.config.server.listen = listener.local_addr()?;
        let control = listen::control(&Self::socket_path(&self.config))?;
        let (services, tasks) = (CancellationToken::new(), TaskTracker::new());
        self.parts.start(&services, &tasks).await;
        self.care.start(&services, &tasks);
        let servers = TaskTracker::new();
        let patience = self.patience();
        servers.spawn(listen::tcp(listener, self.router.clone(), patience, shutdown.clone()));
        servers.spawn(listen::unix(control, self.local_router(), patience, shutdown.clone()));
        servers.close();
        shutdown.cancelled().await;
        tracing::info!("stopping: goodbyes first");
        let within = Duration::from_millis(self.config.server.stop_timeout_ms);
        self.health.draining.store(true, Ordering::Release);
        if !self.parts.transport.drain(within).await {
            tracing::warn!("some connections did not close in time");
        }
        drop(tokio::time::timeout(within, servers.wait()).await);
        services.cancel();
        tasks.close();
        drop(tokio::time::timeout(within, tasks.wait()).await);
        drop(std::fs::remove_file(Self::socket_path(&self.config)));
        self.close().await;
        tracing::info!("stopped");
        Ok(())
    }

    fn patience(&self) -> listen::Patience {
        listen::Patience {
            request: Duration::from_millis(self.config.transport.request_timeout_ms),
            silence: Duration::from_millis(self.config.transport.idle_timeout_ms),
        }
    }

    /// Lets go of everything; what was accepted is durable when this returns.
    pub async fn close(self) {
        // The stream's last handle joins its writer thread, which must not hold up the runtime.
        drop(tokio::task::spawn_blocking(move || drop(self)).await);
    }
}
