//! The WebSocket carrier: one task per connection that sleeps until there is something to read or to write.
//!
//! ```text
//!   upgrade ─▶ handshake: hello within 10 s ─▶ turn ◀──────────────────────────────┐
//!                  │ refused: error, bye         │ frames, a finished batch,       │
//!                  ▼                             │ or something in the outbox      │
//!                closed ◀── ended, peer gone ────┴─▶ start a batch · write once ───┘
//! ```
//! A turn reads every frame that is there and writes everything that is due with one call. Commands are done in a
//! task of their own (`dispatch::work`), one batch at a time; while `in_flight` frames wait nothing more is read, so
//! a client that sends too fast is held up by TCP. Rare branches are boxed: an idle connection is what stays small.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::{SinkExt, Stream, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::admission::{Asker, Place};
use super::dispatch::Decoded;
use super::wire::{self, Frame};
use super::{Transport, framing, longpoll};
use crate::domain::refusal::{Code, Refusal};
use crate::runtime;
use crate::sessions::{Bye, Carrier, Item, Session};

/// Eagerly allocated per connection: most frames are smaller, larger ones grow it for their time.
const READ_BUFFER: usize = 512;
/// How long a peer may take to hang up after our close frame.
const LINGER: Duration = Duration::from_secs(1);

/// `GET /v1/ws`.
pub(super) async fn upgrade(State(transport): State<Arc<Transport>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let asker = Asker::of(&parts, &transport.config);
    let on = parts.extensions.remove::<OnUpgrade>();
    let (Some(accept), Some(on)) = (accept_key(&parts.headers), on) else {
        return longpoll::failed(&Refusal::BadFrame("a WebSocket handshake is expected".into()));
    };
    let place = match transport.admit(&asker).and_then(|()| transport.place()) {
        Ok(place) => place,
        Err(refusal) => return longpoll::failed(&refusal),
    };
    runtime::spawn(serve(transport, on, Box::new(asker), place));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

fn accept_key(headers: &HeaderMap) -> Option<header::HeaderValue> {
    let has = |name: header::HeaderName, token: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    let asked = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked)?;
    header::HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

async fn serve(transport: Arc<Transport>, on: OnUpgrade, asker: Box<Asker>, place: Place) {
    let Ok(upgraded) = on.await else { return };
    let greeted = Box::pin(begin(transport, TokioIo::new(upgraded), asker, place)).await;
    if let Some(mut connection) = greeted {
        connection.run().await;
    }
}

async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
    transport: Arc<Transport>,
    io: S,
    asker: Box<Asker>,
    place: Place,
) -> Option<Box<Connection<S>>> {
    let most = transport.config.frame_bytes;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(most)
        .max_frame_size(Some(most))
        .max_message_size(Some(most));
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    match hello(&transport, &mut socket, &asker).await {
        Ok((session, welcome)) => {
            let mut connection = Connection {
                socket,
                session,
                transport,
                waiting: Vec::new(),
                work: None,
                _place: place,
            };
            let mut buffer = Vec::with_capacity(welcome.len() + 4);
            framing::text(&mut buffer, &welcome);
            if connection.write(&buffer).await.is_ok() {
                return Some(Box::new(connection));
            }
            connection.transport.parts.sessions.end(&connection.session, None);
            None
        }
        Err(refusal) => {
            let mut buffer = Vec::new();
            framing::text(&mut buffer, &wire::error(&refusal, None, None));
            let (bye, reconnect_ms) = bye_for(&refusal);
            framing::text(&mut buffer, &wire::bye(bye, reconnect_ms));
            framing::close(&mut buffer, 1008);
            let write_timeout = Duration::from_millis(transport.config.write_timeout_ms);
            let io = socket.get_mut();
            let written = tokio::time::timeout(write_timeout, io.write_all(&buffer)).await;
            if let Ok(Ok(())) = written {
                linger(io).await;
            }
            None
        }
    }
}

/// What a refused hello is told to do next.
fn bye_for(refusal: &Refusal) -> (Bye, Option<u64>) {
    let bye = match refusal.code() {
        Code::Unauthorized | Code::Forbidden | Code::NotFound => Bye::Unauthorized,
        Code::RateLimited | Code::Unavailable => Bye::Draining,
        _ => Bye::Protocol,
    };
    (bye, refusal.retry_after_ms())
}

async fn hello<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &Arc<Transport>,
    socket: &mut WebSocketStream<S>,
    asker: &Asker,
) -> Result<(Arc<Session>, String), Refusal> {
    let within = Duration::from_millis(transport.config.hello_timeout_ms);
    let first = tokio::time::timeout(within, async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(Error::Capacity(_))) => {
                    let limit = transport.config.frame_bytes;
                    return Err(Refusal::TooLarge { what: "a frame", limit });
                }
                _ => return Err(Refusal::BadFrame("the first frame is a hello".into())),
            }
        }
    });
    let text = first.await.map_err(|_| Refusal::BadFrame("no hello in time".into()))??;
    match wire::decode(text.as_str(), None) {
        Ok(Frame::Hello(hello)) => transport.greet(hello, Carrier::Socket, asker).await,
        Ok(_) => Err(Refusal::BadFrame("the first frame is a hello".into())),
        Err(bad) => Err(bad.refusal),
    }
}

/// Waits until the peer hangs up, so that what was written is not lost to a reset.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S) {
    let hangs_up = async {
        drop(io.shutdown().await);
        let mut rest = [0; 256];
        while matches!(io.read(&mut rest).await, Ok(1..)) {}
    };
    drop(tokio::time::timeout(LINGER, hangs_up).await);
}

/// A connection after its hello.
struct Connection<S> {
    socket: WebSocketStream<S>,
    session: Arc<Session>,
    transport: Arc<Transport>,
    /// Read and decoded, waits for the batch before it.
    waiting: Vec<Decoded>,
    /// The batch being done.
    work: Option<JoinHandle<()>>,
    /// Given back when the connection is dropped.
    _place: Place,
}

/// How a turn ended.
enum Turn {
    /// Something is to be done.
    Work,
    /// The peer is gone or said bye.
    Gone,
    /// A frame that the framing layer refused: nothing more can be read.
    Broken(Refusal),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(&mut self) {
        loop {
            let turn = std::future::poll_fn(|cx| self.turn(cx)).await;
            if !matches!(turn, Turn::Work) {
                Box::pin(self.finish(turn)).await;
                break;
            }
            if self.work.is_none() && !self.waiting.is_empty() {
                let frames = std::mem::take(&mut self.waiting);
                self.work = Some(self.transport.work(&self.session, frames));
            }
            // What was woken together with this (an ack, and the event to others and to its sender) goes out in one write.
            tokio::task::yield_now().await;
            let buffer = self.due();
            if !buffer.is_empty() && Box::pin(self.write(&buffer)).await.is_err() {
                break;
            }
            drop(buffer);
            if self.session.is_ended() {
                Box::pin(self.finish(Turn::Work)).await;
                break;
            }
        }
        self.transport.parts.sessions.end(&self.session, None);
    }

    /// Reads what is there; ready when there is something to do.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        // A peer that never stops sending gets its answers between turns.
        let mut ready = self.waiting.len() < self.transport.config.in_flight;
        for _ in self.waiting.len()..self.transport.config.in_flight {
            match Pin::new(&mut self.socket).poll_next(cx) {
                Poll::Pending => {
                    ready = false;
                    break;
                }
                Poll::Ready(None) => return Poll::Ready(Turn::Gone),
                Poll::Ready(Some(Err(Error::Capacity(_)))) => {
                    let limit = self.transport.config.frame_bytes;
                    let refusal = Refusal::TooLarge { what: "a frame", limit };
                    return Poll::Ready(Turn::Broken(refusal));
                }
                Poll::Ready(Some(Err(Error::Protocol(_) | Error::Utf8(_)))) => {
                    let refusal = Refusal::BadFrame("not a WebSocket text frame".into());
                    return Poll::Ready(Turn::Broken(refusal));
                }
                Poll::Ready(Some(Err(_) | Ok(Message::Close(_)))) => {
                    return Poll::Ready(Turn::Gone);
                }
                Poll::Ready(Some(Ok(message))) => {
                    self.session.heard(self.transport.parts.clock.now());
                    self.read(message);
                }
            }
        }
        if let Some(work) = self.work.as_mut().map(Pin::new)
            && work.poll(cx).is_ready()
        {
            self.work = None;
            ready = true;
        }
        ready |= self.session.poll_ready(cx).is_ready();
        ready |= self.work.is_none() && !self.waiting.is_empty();
        if ready { Poll::Ready(Turn::Work) } else { Poll::Pending }
    }

    fn read(&mut self, message: Message) {
        let decoded = match message {
            Message::Text(text) => wire::decode(text.as_str(), None),
            Message::Binary(_) => {
                Err(Refusal::BadFrame("binary frames are not spoken here".into()).into())
            }
            _ => return,
        };
        match decoded {
            Ok(Frame::Pong) => {}
            Ok(Frame::Ping) => self.transport.reply(&self.session, wire::pong()),
            decoded => self.waiting.push(decoded),
        }
    }

    /// Everything in the outbox as one buffer of frames.
    fn due(&self) -> Vec<u8> {
        let items = self.transport.parts.sessions.take(&self.session);
        let party = self.session.principal().party();
        let mut buffer = Vec::with_capacity(items.iter().map(Item::weight).sum());
        for item in &items {
            if let Some(frame) = wire::encode(item, party, |bye| self.transport.reconnect_ms(bye)) {
                framing::text(&mut buffer, &frame);
            }
        }
        buffer
    }

    /// Writes it all, or the peer is too slow.
    async fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        let within = Duration::from_millis(self.transport.config.write_timeout_ms);
        let writes = async {
            // What the framing layer owes (pongs) goes first; it never begins a frame that it does not end.
            self.socket.flush().await.map_err(io::Error::other)?;
            let io = self.socket.get_mut();
            io.write_all(buffer).await?;
            io.flush().await
        };
        match tokio::time::timeout(within, writes).await {
            Ok(written) => written,
            Err(_) => {
                self.transport.parts.sessions.end(&self.session, Some(Bye::SlowReader));
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    /// The last words: answers that are due, why we close if it is we who do, and the close frame.
    async fn finish(&mut self, turn: Turn) {
        if let (Turn::Broken(refusal), sessions) = (&turn, &self.transport.parts.sessions) {
            self.transport.reply(&self.session, wire::error(refusal, None, None));
            sessions.end(&self.session, Some(Bye::Protocol));
        }
        let mut buffer = self.due();
        framing::close(&mut buffer, if matches!(turn, Turn::Broken(_)) { 1008 } else { 1000 });
        if matches!(turn, Turn::Gone) {
            // The peer may still read the answer to its close frame; nobody waits for it.
            drop(self.socket.flush().await);
            return;
        }
        if self.write(&buffer).await.is_ok() {
            linger(self.socket.get_mut()).await;
        }
    }
}

#[cfg(test)]
mod tests;
