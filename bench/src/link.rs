//! A bare client for load: no log, no resume, as little work per frame as can be.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{anyhow, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use kefu_tests::http::{Ask, Connection};
use kefu_tests::server::{ORIGIN, SITE};

/// What a ping is answered with.
pub(crate) const PONG: &str = r#"{"type":"pong"}"#;

/// An open, welcomed WebSocket.
pub(crate) type Link = WebSocketStream<TcpStream>;

/// Connects with a token and waits for `welcome`.
pub(crate) async fn open(address: SocketAddr, token: &str, buffer: usize) -> anyhow::Result<Link> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = format!("ws://{address}/v1/ws").into_client_request()?;
    let config = WebSocketConfig::default().read_buffer_size(buffer).write_buffer_size(0);
    let (mut link, _) = client_async_with_config(request, stream, Some(config)).await?;
    send(&mut link, &json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] }))
        .await?;
    hears(&mut link, "welcome").await?;
    Ok(link)
}

/// Sends a frame.
pub(crate) async fn send(link: &mut Link, frame: &Value) -> anyhow::Result<()> {
    Ok(link.send(Message::Text(frame.to_string().into())).await?)
}

/// Waits for a frame of a type.
pub(crate) async fn hears(link: &mut Link, kind: &str) -> anyhow::Result<Value> {
    loop {
        let message = link.next().await.ok_or_else(|| anyhow!("closed"))??;
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text)?;
        if frame["type"] == kind {
            return Ok(frame);
        }
        if frame["type"] == "error" || frame["type"] == "bye" {
            bail!("waiting for {kind}: {frame}");
        }
    }
}

/// Opens a conversation; returns its id.
pub(crate) async fn opens(link: &mut Link) -> anyhow::Result<String> {
    send(link, &json!({ "type": "open", "key": "open", "fields": {} })).await?;
    let ack = hears(link, "ack").await?;
    ack["conversation"].as_str().map(str::to_owned).ok_or_else(|| anyhow!("no id in {ack}"))
}

/// A fresh visitor's token, over a connection that is kept.
pub(crate) async fn visitor(http: &mut Connection) -> anyhow::Result<String> {
    let ask = Ask::post("/v1/visitors", json!({ "site": SITE })).header("origin", ORIGIN);
    let answer = http.ask(ask).await?.ok()?;
    answer.json["token"].as_str().map(str::to_owned).ok_or_else(|| anyhow!("no token"))
}

/// One of the addresses 127.0.0.1 to 127.0.0.8 at the same port.
pub(crate) fn rotated(address: SocketAddr, number: usize) -> SocketAddr {
    let last = u8::try_from(number % 8).unwrap_or_default() + 1;
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), address.port()))
}

/// The value of a text field near the start of a frame, without parsing it.
pub(crate) fn field<'a>(text: &'a Utf8Bytes, name: &str) -> Option<&'a str> {
    let rest = &text[text.find(name)? + name.len()..];
    let rest = rest.strip_prefix("\":\"")?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests;
