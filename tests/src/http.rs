//! Plain HTTP for the harness: one connection, JSON in and out. It follows no redirects and keeps no cookies.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer; above the longest parked poll.
const PATIENCE: Duration = Duration::from_secs(40);

/// One kept-alive connection.
pub struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body as JSON; `null` when it is none.
    pub json: Value,
    /// Body as text.
    pub text: String,
    /// Body as it came.
    pub bytes: Bytes,
}

impl Answer {
    /// The answer if its status is 2xx.
    ///
    /// # Errors
    /// Says status and body otherwise.
    pub fn ok(self) -> anyhow::Result<Self> {
        if (200..300).contains(&self.status) {
            Ok(self)
        } else {
            Err(anyhow!("status {}: {}", self.status, self.text))
        }
    }

    /// The error code in the body.
    #[must_use]
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// Method; empty means GET.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Bearer token.
    pub token: Option<&'a str>,
    /// More headers.
    pub headers: Vec<(&'a str, String)>,
    /// Body as JSON.
    pub json: Option<Value>,
    /// Body as bytes, when there is no JSON.
    pub body: Bytes,
}

impl<'a> Ask<'a> {
    /// A GET.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self { path, ..Self::default() }
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post(path: &'a str, json: Value) -> Self {
        Self { method: "POST", path, json: Some(json), ..Self::default() }
    }

    /// With a bearer token.
    #[must_use]
    pub fn bearer(mut self, token: &'a str) -> Self {
        self.token = Some(token);
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        kefu::runtime::spawn(connection);
        Ok(Self { address, sender })
    }

    /// Sends and reads the whole answer.
    ///
    /// # Errors
    /// When the connection ends first or nothing comes for 40 s.
    pub async fn ask(&mut self, ask: Ask<'_>) -> anyhow::Result<Answer> {
        let request = build(self.address, ask)?;
        let answer = async {
            self.sender.ready().await?;
            let (parts, body) = self.sender.send_request(request).await?.into_parts();
            let bytes = body.collect().await?.to_bytes();
            anyhow::Ok((parts, bytes))
        };
        let (parts, bytes) = timeout(PATIENCE, answer).await.context("no answer in time")??;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        })
    }
}

/// One request on a connection of its own.
///
/// # Errors
/// As [`Connection::ask`].
pub async fn once(address: SocketAddr, ask: Ask<'_>) -> anyhow::Result<Answer> {
    Connection::open(address).await?.ask(ask).await
}

fn build(address: SocketAddr, ask: Ask<'_>) -> anyhow::Result<http::Request<Full<Bytes>>> {
    let method = if ask.method.is_empty() { "GET" } else { ask.method };
    let mut request =
        http::Request::builder().method(method).uri(ask.path).header("host", address.to_string());
    if let Some(token) = ask.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let body = match ask.json {
        Some(json) => {
            request = request.header("content-type", "application/json");
            Bytes::from(json.to_string())
        }
        None => ask.body,
    };
    Ok(request.body(Full::new(body))?)
}
