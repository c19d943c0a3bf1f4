//! A WebSocket without manners: sends what a client never should, and shows every frame as it comes.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Carrier, Options};
use crate::client::{Socket, open, text};

/// Longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open WebSocket.
pub struct Raw {
    socket: Socket,
}

impl Raw {
    /// Connects; says nothing yet.
    ///
    /// # Errors
    /// When the upgrade is refused.
    pub async fn open(address: SocketAddr, origin: Option<&str>) -> anyhow::Result<Self> {
        let mut options = Options::new(address, "", Carrier::WebSocket);
        options.origin = origin.map(str::to_owned);
        Ok(Self { socket: timeout(PATIENCE, open(&options)).await.context("no upgrade")?? })
    }

    /// Connects and says hello with a token; returns at `welcome`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn hello(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let mut raw = Self::open(address, None).await?;
        raw.send(&json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] })).await?;
        raw.hears("welcome").await?;
        Ok(raw)
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn send(&mut self, frame: &Value) -> anyhow::Result<()> {
        self.send_text(&frame.to_string()).await
    }

    /// Sends any text.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn send_text(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::Text(text.into())).await?)
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn send_binary(&mut self, bytes: &'static [u8]) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::Binary(bytes.into())).await?)
    }

    /// The next frame.
    ///
    /// # Errors
    /// When the connection closes or nothing comes.
    pub async fn next(&mut self) -> anyhow::Result<Value> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.context("no frame")?;
            let message = message.ok_or_else(|| anyhow!("closed"))??;
            if let Some(text) = text(message)? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    }

    /// The next frame of a type; others are passed over.
    ///
    /// # Errors
    /// When the connection closes or it does not come.
    pub async fn hears(&mut self, kind: &str) -> anyhow::Result<Value> {
        let mut passed = Vec::new();
        loop {
            match self.next().await {
                Ok(frame) if frame["type"] == kind => return Ok(frame),
                Ok(frame) => passed.push(frame),
                Err(error) => {
                    return Err(error.context(format!("waiting for {kind}, passed {passed:?}")));
                }
            }
        }
    }

    /// Reads until the server closes.
    ///
    /// # Errors
    /// When it does not.
    pub async fn is_closed(&mut self) -> anyhow::Result<()> {
        let drained = async { while let Some(Ok(_)) = self.socket.next().await {} };
        timeout(PATIENCE, drained).await.context("the server keeps the connection")
    }
}
