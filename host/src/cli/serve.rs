//! `kefu serve`.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::say;
use crate::app::{App, Exposure};
use crate::config::Config;
use crate::domain::plugin::Require;
use crate::{runtime, telemetry};

/// How to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Where to listen [default: server.listen of the config].
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// For who writes plugins: takes unsigned packages and bare components, as plugins.require = "none" does.
    #[arg(long)]
    dev: bool,
}

pub(super) async fn run(serve: Serve, mut config: Config) -> anyhow::Result<()> {
    config.server.listen = serve.listen.unwrap_or(config.server.listen);
    telemetry::init(&config.telemetry);
    if serve.dev {
        config.plugins.require = Require::None;
        tracing::warn!("--dev: any plugin is taken, signed or not");
    }
    let signals = Signals::hear().context("signals cannot be heard")?;
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (server.listen)"))?;
    let address = listener.local_addr()?;
    let exposure = Exposure { listen: address, ..Exposure::of(&config.server) };
    let app = App::build(config).await?;
    if let Some(admin) = app.first_admin().await? {
        say(&format!(
            "first start: sign in as `{}` with password `{}` (shown only now; \
             `kefu agent passwd {}` makes a new one)",
            admin.login, admin.password, admin.login
        ))?;
    }
    let shutdown = CancellationToken::new();
    runtime::spawn(on_signal(signals, shutdown.clone()));
    if let Some(advice) = exposure.advice().filter(|_| address.ip().is_unspecified()) {
        say(&advice)?;
    }
    say(&format!("listening on http://{address}; console: {}/console/", exposure.url()))?;
    app.run(listener, shutdown).await?;
    Ok(())
}

/// The first signal stops the server in order. The second means it: the process ends at once, as it would by `kill -9`,
/// which loses nothing that was acked.
async fn on_signal(mut signals: Signals, shutdown: CancellationToken) {
    signals.next().await;
    shutdown.cancel();
    let again = signals.next().await;
    tracing::warn!("told twice to stop: not waiting any longer");
    std::process::exit(128 + again);
}

/// SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn hear() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }
}
