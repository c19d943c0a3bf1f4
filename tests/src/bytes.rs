//! A TCP connection of plain bytes: HTTP and WebSocket frames exactly as a test writes them, however wrong.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A frame of a client: the first byte (FIN, RSV and opcode) as given, masked with zeros or not at all.
#[must_use]
pub fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if masked { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..=125 => bytes.push(mask | length as u8),
        length @ 126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// A whole text frame of a client.
#[must_use]
pub fn text(said: &Value) -> Vec<u8> {
    frame(0x81, true, said.to_string().as_bytes())
}

/// A connection.
pub struct Bytes {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Bytes {
    /// Connects; nothing is sent yet.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Connects, upgrades to a WebSocket, says hello and is welcomed.
    ///
    /// # Errors
    /// When any of it is refused.
    pub async fn hello(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let mut bytes = Self::open(address).await?;
        let ask = "GET /v1/ws HTTP/1.1\r\nhost: kefu\r\nconnection: upgrade\r\n\
                   upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        bytes.sends(ask.as_bytes()).await?;
        let (status, _) = bytes.answers().await?;
        if status != 101 {
            bail!("no upgrade: {status}");
        }
        let hello = json!({ "type": "hello", "protocol": 1, "token": token, "resume": [] });
        bytes.sends(&text(&hello)).await?;
        bytes.hears("welcome").await?;
        Ok(bytes)
    }

    /// Writes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn sends(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(timeout(PATIENCE, self.stream.write_all(bytes)).await.context("nobody reads")??)
    }

    /// Status and body of the next HTTP answer.
    ///
    /// # Errors
    /// When the connection ends first or nothing comes.
    pub async fn answers(&mut self) -> anyhow::Result<(u16, String)> {
        let end = loop {
            match self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("status")?;
        let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
        let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
        while self.read.len() < end + length {
            self.more().await?;
        }
        let body = String::from_utf8_lossy(&self.read[end..end + length]).into_owned();
        self.read.drain(..end + length);
        Ok((status, body))
    }

    /// The next text frame of a type; others are passed over.
    ///
    /// # Errors
    /// When the connection ends first or it does not come.
    pub async fn hears(&mut self, kind: &str) -> anyhow::Result<Value> {
        loop {
            let (opcode, payload) = self.hears_any().await.with_context(|| kind.to_owned())?;
            if opcode == 1 {
                let said: Value = serde_json::from_slice(&payload)?;
                if said["type"] == kind {
                    return Ok(said);
                }
            }
        }
    }

    /// The next control frame with this opcode.
    ///
    /// # Errors
    /// When the connection ends first or it does not come.
    pub async fn hears_control(&mut self, wanted: u8) -> anyhow::Result<Vec<u8>> {
        loop {
            let (opcode, payload) = self.hears_any().await?;
            if opcode == wanted {
                return Ok(payload);
            }
        }
    }

    /// Reads until the server hangs up.
    ///
    /// # Errors
    /// When it does not.
    pub async fn is_closed(&mut self) -> anyhow::Result<()> {
        let mut rest = [0; 4096];
        let hangs_up = async { while matches!(self.stream.read(&mut rest).await, Ok(1..)) {} };
        timeout(PATIENCE, hangs_up).await.context("the server keeps the connection")
    }

    /// The next frame, whatever it is: opcode and payload.
    ///
    /// # Errors
    /// When the connection ends first or nothing comes.
    pub async fn hears_any(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        self.needs(2).await?;
        let (head, length) = match self.read[1] & 0x7f {
            126 => {
                self.needs(4).await?;
                (4, usize::from(u16::from_be_bytes([self.read[2], self.read[3]])))
            }
            127 => bail!("a frame of the server above 64 KiB"),
            short => (2, usize::from(short)),
        };
        self.needs(head + length).await?;
        let opcode = self.read[0] & 0x0f;
        let payload = self.read[head..head + length].to_vec();
        self.read.drain(..head + length);
        Ok((opcode, payload))
    }

    async fn needs(&mut self, bytes: usize) -> anyhow::Result<()> {
        while self.read.len() < bytes {
            self.more().await?;
        }
        Ok(())
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        match read.context("nothing comes")?? {
            0 => bail!("closed by the server"),
            _ => Ok(()),
        }
    }
}
