//! The WebSocket carrier: one connection from hello to its end.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Options, Shared};

/// A client's side of a WebSocket.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Connects and upgrades.
pub(crate) async fn open(options: &Options) -> anyhow::Result<Socket> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(options.address).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{}/v1/ws", options.address).into_client_request()?;
    if let Some(origin) = &options.origin {
        request.headers_mut().insert("origin", origin.parse()?);
    }
    let config = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
    let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

pub(super) async fn run(shared: &Arc<Shared>, number: u64) -> anyhow::Result<()> {
    let mut cut = shared.cut.subscribe();
    let mut reading = shared.reading.subscribe();
    let mut changed = shared.changed.subscribe();
    let mut socket = open(&shared.options).await?;
    let hello = shared.state.lock().hello(&shared.options.token);
    socket.send(Message::Text(hello.to_string().into())).await?;
    let before = shared.state.lock().welcomes;
    loop {
        let welcomed = shared.state.lock().welcomes > before;
        let frames = if welcomed { shared.state.lock().take(number, 64) } else { Vec::new() };
        for frame in frames {
            socket.feed(Message::Text(frame.to_string().into())).await?;
        }
        socket.flush().await?;
        let due = shared.state.lock().next_due();
        let reads = *reading.borrow_and_update();
        tokio::select! {
            message = socket.next(), if reads => {
                let text = text(message.ok_or_else(|| anyhow!("closed by the server"))??)?;
                if let Some(text) = text {
                    hear(shared, &text)?;
                }
            }
            _ = changed.changed() => {}
            _ = reading.changed() => {}
            _ = cut.changed() => bail!("cut by the test"),
            () = until(due) => {}
        }
    }
}

/// The text of a message; `None` for control frames.
pub(crate) fn text(message: Message) -> anyhow::Result<Option<Utf8Bytes>> {
    match message {
        Message::Text(text) => Ok(Some(text)),
        Message::Close(frame) => bail!("closed by the server: {frame:?}"),
        Message::Binary(_) => bail!("a binary frame from the server"),
        _ => Ok(None),
    }
}

fn hear(shared: &Shared, text: &str) -> anyhow::Result<()> {
    let frame = serde_json::from_str(text)?;
    shared.change(|state| state.hear(&frame));
    Ok(())
}

pub(super) async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
