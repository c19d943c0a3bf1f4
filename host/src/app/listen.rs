//! The two ways in: TCP for everyone, a Unix socket for whoever owns the data directory.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

/// Serves TCP until shutdown and until the last request is answered.
pub(super) async fn tcp(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let listener = listener.tap_io(|stream| {
        // Without it every small answer waits for the peer's delayed acknowledgement (44 ms).
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay cannot be set");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "serving over TCP ended");
    }
}

/// Serves the control socket likewise.
pub(super) async fn unix(listener: UnixListener, router: Router, shutdown: CancellationToken) {
    let served = axum::serve(listener, router.into_make_service())
        .with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "serving the control socket ended");
    }
}

/// Makes the control socket, for its owner only. A left-over one is replaced: the stream's lock has already proved that
/// no other server uses this directory.
pub(super) fn control(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
