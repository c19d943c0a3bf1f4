//! The two ways in: TCP for everyone, a Unix socket for whoever owns the data directory.
//!
//! Nobody is waited for without end: a request's head has a time, its body has a time and what its size earns, and a
//! peer that no longer takes what is written to it is given up by the kernel. Idle connections end the same way.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::{Router, serve::Listener};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::body::Timely;

/// Most bytes of a request's head; a poll's cursor of many conversations is the longest.
const HEAD_BYTES: usize = 64 << 10;

/// How long peers are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the head of a request, and for its body.
    pub(super) request: Duration,
    /// For a peer to acknowledge what was sent to it.
    pub(super) silence: Duration,
}

/// Serves TCP until shutdown and until the last request is answered.
pub(super) async fn tcp(
    mut listener: TcpListener,
    router: Router,
    patience: Patience,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    while let Some((stream, peer)) = next(&mut listener, &shutdown).await {
        tune(&stream, patience.silence);
        let served = serve(stream, Some(peer), router.clone(), patience, shutdown.clone());
        connections.spawn(served);
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Serves the control socket likewise.
pub(super) async fn unix(
    mut listener: UnixListener,
    router: Router,
    patience: Patience,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    while let Some((stream, _)) = next(&mut listener, &shutdown).await {
        connections.spawn(serve(stream, None, router.clone(), patience, shutdown.clone()));
    }
    connections.close();
    connections.wait().await;
}

/// The next connection; `None` at shutdown. Out of files it waits, and does not fail.
async fn next<L: Listener>(
    listener: &mut L,
    shutdown: &CancellationToken,
) -> Option<(L::Io, L::Addr)> {
    tokio::select! {
        () = shutdown.cancelled() => None,
        accepted = listener.accept() => Some(accepted),
    }
}

fn tune(stream: &TcpStream, silence: Duration) {
    // Without nodelay every small answer waits for the peer's delayed acknowledgement (44 ms). Without a user timeout
    // the kernel sends to a peer that vanished for a quarter of an hour.
    let socket = socket2::SockRef::from(stream);
    let tuned = socket.set_tcp_nodelay(true).and(socket.set_tcp_user_timeout(Some(silence)));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a connection cannot be tuned");
    }
}

/// One connection, until it ends, becomes a WebSocket, or its last request before the shutdown is answered.
async fn serve<S>(
    stream: S,
    peer: Option<SocketAddr>,
    router: Router,
    patience: Patience,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request =
            request.map(|body| Body::new(Timely::new(body, patience.request)));
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        router.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.request)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
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

#[cfg(test)]
mod tests;
