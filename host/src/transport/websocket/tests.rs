//! The WebSocket carrier: what an idle connection costs.

use tokio::net::TcpStream;

use super::*;

fn size_of_serve<F>(_: fn(Arc<Transport>, OnUpgrade, Box<Asker>, Place) -> F) -> usize {
    size_of::<F>()
}

/// The whole of an idle connection in user space: this future (in its task, about 100 bytes more), the read buffer,
/// the session, four map entries, and tokio's registration of the socket (about 300 bytes). The goal is 3 KB;
/// measured in a debug build with 7,500 connections: 2.3 KB of anonymous memory each.
#[test]
fn an_idle_connection_is_small() {
    let connection = size_of::<Connection<TcpStream>>();
    let serve = size_of_serve(serve);
    assert!(connection <= 400, "{connection}");
    assert!(serve <= 300, "{connection} {serve}");
    let whole = serve + connection + 100 + READ_BUFFER + size_of::<Session>() + 16 + 4 * 48 + 300;
    assert!(whole <= 3 * 1024, "{whole}");
}
