//! `kefu serve`.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::say;
use crate::app::App;
use crate::config::Config;
use crate::{runtime, telemetry};

/// How to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Where to listen, instead of what the config says.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
}

pub(super) async fn run(serve: Serve, mut config: Config) -> anyhow::Result<()> {
    config.server.listen = serve.listen.unwrap_or(config.server.listen);
    telemetry::init(&config.telemetry);
    let listen = config.server.listen;
    let public_url = config.server.public_url.clone();
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (server.listen)"))?;
    let address = listener.local_addr()?;
    let app = App::build(config).await?;
    if let Some(admin) = app.first_admin().await? {
        say(&format!(
            "first start: sign in as `{}` with password `{}` (shown only now; \
             `kefu agent passwd {}` makes a new one)",
            admin.login, admin.password, admin.login
        ))?;
    }
    let shutdown = CancellationToken::new();
    runtime::spawn(on_signal(shutdown.clone()));
    let url = if public_url.is_empty() { format!("http://{address}") } else { public_url };
    say(&format!("listening on http://{address}; console: {url}/console/"))?;
    app.run(listener, shutdown).await?;
    Ok(())
}

async fn on_signal(shutdown: CancellationToken) {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return tracing::error!(%error, "signals cannot be heard"),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    shutdown.cancel();
}
