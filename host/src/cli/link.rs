//! The way to the API: the control socket of the running server, or a router assembled here.

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Body;
use http::{Method, Request, header};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tower::ServiceExt;

use crate::app::{self, App, Exposure};
use crate::config::Config;
use crate::{runtime, storage};

/// Most bytes of an answer.
const ANSWER_MOST: usize = 64 << 20;

/// See the module.
pub(super) enum Link {
    /// A server runs.
    Socket(http1::SendRequest<Body>),
    /// None runs; it is here.
    Inside(Box<App>),
}

impl Link {
    pub(super) async fn open(config: Config) -> anyhow::Result<Self> {
        match Self::running(&config).await? {
            Some(running) => Ok(running),
            None => Ok(Self::Inside(Box::new(App::build(config).await?))),
        }
    }

    /// The way to the running server, if one runs: for what only looks.
    pub(super) async fn running(config: &Config) -> anyhow::Result<Option<Self>> {
        let Ok(stream) = UnixStream::connect(App::socket_path(config)).await else {
            return Ok(None);
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        runtime::spawn(connection);
        Ok(Some(Self::Socket(sender)))
    }

    /// As [`Link::open`], for what only reads or changes what is there: without data it makes none.
    pub(super) async fn open_existing(config: Config) -> anyhow::Result<Self> {
        let dir = &config.server.data_dir;
        if !storage::exists(&app::storage_config(&config)) && !App::socket_path(&config).exists() {
            let dir = std::path::absolute(dir)?;
            bail!(
                "no data in {}: start `kefu serve` first, or name it with --data-dir",
                dir.display()
            );
        }
        Self::open(config).await
    }

    /// Where the running server is reached, or where one with this config would be.
    pub(super) async fn exposure(&mut self) -> anyhow::Result<Exposure> {
        Ok(serde_json::from_value(self.get(Exposure::PATH).await?)?)
    }

    /// Whether the server is another process.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    pub(super) async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Body::from(body.to_string())).await
    }

    pub(super) async fn post_bytes(&mut self, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Body::from(body)).await
    }

    /// Writes out what was changed, when the server is in this process.
    pub(super) async fn close(self) {
        if let Self::Inside(app) = self {
            app.close().await;
        }
    }

    async fn send(&mut self, method: Method, path: &str, body: Body) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "kefu")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .with_context(|| format!("`{path}` is not an address"))?;
        let (status, bytes) = match self {
            Self::Socket(sender) => {
                sender.ready().await.context("the server hung up")?;
                let answer = sender.send_request(request).await.context("the server hung up")?;
                (answer.status(), answer.into_body().collect().await?.to_bytes())
            }
            Self::Inside(app) => {
                let router: Router = app.local_router();
                let answer = router.oneshot(request).await?;
                let status = answer.status();
                (status, axum::body::to_bytes(answer.into_body(), ANSWER_MOST).await?)
            }
        };
        let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if !status.is_success() {
            match value["error"]["message"].as_str() {
                Some(message) => bail!("{message}"),
                None => bail!("the server answered {status}"),
            }
        }
        Ok(value)
    }
}
