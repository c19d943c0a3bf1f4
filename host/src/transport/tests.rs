//! Both carriers over real sockets, with real storage and a real stream.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::conversations::{Conversations, FileLimits, Limits};
use crate::domain::ids::{SiteId, TeamId, VisitorId};
use crate::domain::people::{Site, Team, Visitor, WidgetSettings};
use crate::plugins::Plugins;
use crate::runtime;
use crate::sessions::SessionLimits;
use crate::stream;
use crate::telemetry::Meters;

mod polls;
mod sockets;

/// A running server with one site and one visitor.
struct Stage {
    transport: Arc<Transport>,
    address: SocketAddr,
    token: String,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn limits() -> Limits {
    let rate = Rate { per_second: 1e6, burst: 1e6 };
    Limits { text_bytes: 4096, field_bytes: 512, rate }
}

fn file_limits() -> FileLimits {
    let rate = Rate { per_second: 1e6, burst: 1e6 };
    FileLimits { bytes: 1000, types: vec!["image/png"], rate, per_conversation: 10 }
}

async fn stage(config: TransportConfig) -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let storage =
        storage::open(&storage::StorageConfig::Sqlite(dir.path().into())).await.unwrap().storage;
    let stream = stream::open(dir.path(), clock.clone(), stream::StreamLimits::default()).unwrap();
    let quick = SessionLimits { heartbeat_ms: 400, idle_timeout_ms: 1200, ..Default::default() };
    let sessions = Sessions::new(stream.clone(), None, clock.clone(), quick);
    let presence = Presence::new(clock.clone(), 1000, None);
    let rates = crate::config::Auth {
        visitor_token_ms: 60_000,
        agent_token_ms: 60_000,
        login: Rate { per_second: 1.0, burst: 5.0 },
    };
    let auth = Auth::open(storage.clone(), clock.clone(), rates).await.unwrap();
    let conversations = Conversations::new(crate::conversations::Parts {
        storage: storage.clone(),
        stream,
        plugins: Arc::new(Plugins::default()),
        sessions: sessions.clone(),
        presence: presence.clone(),
        clock: clock.clone(),
        files: Arc::new(crate::files::Files::open(dir.path()).unwrap()),
        limits: limits(),
        file_limits: file_limits(),
        settle_after: Duration::ZERO,
    });
    let token = people(&storage, &auth).await;
    let stop = CancellationToken::new();
    runtime::spawn(sessions.run(stop.clone()));
    let parts = Parts {
        sessions,
        presence,
        conversations,
        auth,
        storage,
        clock,
        meters: Arc::new(Meters::new().unwrap()),
    };
    let transport = Transport::new(parts, config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = routes(transport.clone());
    let stopped = stop.clone();
    runtime::spawn(async move {
        tokio::select! {
            _ = axum::serve(listener, served) => {}
            () = stopped.cancelled() => {}
        }
    });
    Stage { transport, address, token, stop, _dir: dir }
}

/// A site that answers, and a visitor's token.
async fn people(storage: &storage::Handle, auth: &Auth) -> String {
    let (team, site) = (TeamId::new(1).unwrap(), SiteId::new(2).unwrap());
    let visitor = VisitorId::new(3).unwrap();
    storage.add_team(&Team { id: team, name: "t".into() }).await.unwrap();
    let demo = Site {
        id: site,
        key: "demo".into(),
        name: "Demo".into(),
        team,
        origins: vec!["https://shop.example".into()],
        widget: WidgetSettings { greeting: BTreeMap::new(), ..WidgetSettings::default() },
        enabled: true,
    };
    storage.add_site(&demo).await.unwrap();
    let row = Visitor {
        id: visitor,
        site,
        name: None,
        identity: None,
        email: None,
        created_at: 1,
        last_agent: None,
    };
    storage.add_visitor(&row).await.unwrap();
    auth.visitor_token(site, visitor).token
}

/// A client that sees raw frames.
struct Client(WebSocketStream<TcpStream>);

impl Stage {
    async fn connects_from(&self, origin: Option<&str>) -> Client {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let mut request = http::Request::builder()
            .uri(format!("ws://{}/v1/ws", self.address))
            .header("host", self.address.to_string())
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let request = request.body(()).unwrap();
        Client(tokio_tungstenite::client_async(request, socket).await.unwrap().0)
    }

    async fn connects(&self) -> Client {
        self.connects_from(None).await
    }

    fn hello(&self, resume: Value) -> Value {
        json!({"type": "hello", "protocol": 1, "token": self.token, "resume": resume})
    }

    async fn arrives(&self, resume: Value) -> (Client, Value) {
        let mut client = self.connects().await;
        client.says(self.hello(resume)).await;
        let welcome = client.hears("welcome").await;
        (client, welcome)
    }

    /// One HTTP request; status and body.
    async fn asks(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        use http_body_util::{BodyExt, Full};
        let io = hyper_util::rt::TokioIo::new(TcpStream::connect(self.address).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        runtime::spawn(connection);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "kefu")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::<bytes::Bytes>::from(body))
            .unwrap();
        let answered = sender.send_request(request).await.unwrap();
        let status = answered.status().as_u16();
        let body = answered.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

impl Client {
    async fn sends(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    async fn says(&mut self, frame: Value) {
        self.sends(&frame.to_string()).await;
    }

    /// The next frame, whatever it is; `None` when the server closed.
    async fn next(&mut self) -> Option<Value> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Some(serde_json::from_str(text.as_str()).unwrap());
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), next).await.expect("a frame in time")
    }

    /// The next frame of this type; others are passed over.
    async fn hears(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("closed before {kind}"));
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The `seq` of the next `count` events.
    async fn events(&mut self, count: usize) -> Vec<u64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            seqs.push(self.hears("event").await["event"]["seq"].as_u64().unwrap());
        }
        seqs
    }
}
