//! The long-poll carrier: commands by post, events by parked polls. The same frames, the same cursor, the same acks.
//!
//! Sending a cursor back is what acknowledges events. A cursor behind what was given means that an answer was lost:
//! the session goes back and the stream is read again (`Sessions::acknowledge`). A newer poll of a session replaces an
//! older one, which is answered empty with the cursor it came with.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Transport;
use super::admission::Asker;
use super::dispatch::{Answer, key_of};
use super::wire::{self, Frame};
use crate::domain::ids::{ClientKey, SessionId};
use crate::domain::refusal::{Code, Refusal};
use crate::runtime;
use crate::sessions::{Bye, Carrier, Follow, Session};

/// Most frames in one post.
const MOST_FRAMES: usize = 64;

#[derive(Deserialize)]
struct Post {
    #[serde(default)]
    session: Option<SessionId>,
    frames: Vec<Box<RawValue>>,
}

/// Query of a poll.
#[derive(Deserialize)]
pub(super) struct Wanted {
    session: SessionId,
    #[serde(default)]
    cursor: String,
    wait: Option<u64>,
}

/// `POST /v1/commands`.
pub(super) async fn commands(
    State(transport): State<Arc<Transport>>,
    request: Request,
) -> Response {
    match post(&transport, request).await {
        Ok(response) => response,
        Err(refusal) => failed(&refusal),
    }
}

async fn post(transport: &Arc<Transport>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let asker = Asker::of(&parts, &transport.config);
    let limit = transport.config.frame_bytes.saturating_mul(2);
    let body = axum::body::to_bytes(body, limit).await.map_err(|error| unread(&error, limit))?;
    let Post { session, frames } =
        serde_json::from_slice(&body).map_err(|error| Refusal::BadFrame(cut(&error)))?;
    if frames.is_empty() || frames.len() > MOST_FRAMES {
        return Err(Refusal::BadFrame(format!("1 to {MOST_FRAMES} frames")));
    }
    let key = key_of(parts.headers.get("idempotency-key"))?;
    if let Some(id) = session {
        let session = find(transport, &asker, id).await?;
        return work(transport, session, frames, key, None).await;
    }
    transport.admit(&asker)?;
    let mut frames = frames;
    let rest = frames.split_off(1);
    let first = frames.first().map(|raw| raw.get()).unwrap_or_default();
    let hello = match wire::decode(first, None).map_err(|bad| bad.refusal)? {
        Frame::Hello(hello) => hello,
        _ => return Err(Refusal::BadFrame("the first frame is a hello".into())),
    };
    let (session, welcome) = transport.greet(hello, Carrier::Poll, &asker).await?;
    work(transport, session, rest, key, Some(welcome)).await
}

/// Does the frames in order in a task of its own, so that a client that goes away breaks nothing off.
async fn work(
    transport: &Arc<Transport>,
    session: Arc<Session>,
    frames: Vec<Box<RawValue>>,
    key: Option<ClientKey>,
    welcome: Option<String>,
) -> Result<Response, Refusal> {
    session.heard(transport.parts.clock.now());
    let one = frames.len() == 1 && welcome.is_none();
    let key = key.filter(|_| frames.len() == 1);
    let transport = transport.clone();
    let works = runtime::spawn(async move {
        let mut answers = Vec::with_capacity(frames.len());
        for raw in &frames {
            let decoded = match raw.get().len() > transport.config.frame_bytes {
                true => {
                    let limit = transport.config.frame_bytes;
                    Err(Refusal::TooLarge { what: "a frame", limit }.into())
                }
                false => wire::decode(raw.get(), key.as_ref()),
            };
            answers.push(transport.answer(&session, decoded).await);
        }
        answers
    });
    let answers = works.await.map_err(|error| {
        tracing::error!(%error, "a command broke off");
        Refusal::Unavailable { reason: "a fault", retry_after_ms: 1000 }
    })?;
    Ok(answered(answers, one, welcome))
}

/// Refusals are frames; the refusal of the only command is also the status, so that proxies and clients that know
/// nothing but HTTP understand it, and so is a rate that none of several commands kept to.
fn answered(answers: Vec<Answer>, one: bool, welcome: Option<String>) -> Response {
    let refusal = match one {
        true => answers.iter().find_map(|answer| answer.refusal.clone()),
        // A hello went well, and its session must be told.
        false if welcome.is_some() => None,
        false => too_fast(&answers),
    };
    let frames = welcome.into_iter().chain(answers.into_iter().filter_map(|answer| answer.frame));
    let mut body = format!(r#"{{"frames":[{}]"#, joined(frames));
    if let Some(refusal) = &refusal {
        let error = wire::error_body(refusal);
        body.push(',');
        body.push_str(error.strip_prefix('{').unwrap_or_default());
    } else {
        body.push('}');
    }
    match refusal {
        Some(refusal) => refused(&refusal, body),
        None => json(StatusCode::OK, body),
    }
}

/// The longest wait of several commands that all came too fast.
fn too_fast(answers: &[Answer]) -> Option<Refusal> {
    let waits = answers.iter().map(|answer| match &answer.refusal {
        Some(Refusal::RateLimited { retry_after_ms }) => Some(*retry_after_ms),
        _ => None,
    });
    let longest = waits.collect::<Option<Vec<u64>>>()?.into_iter().max()?;
    Some(Refusal::RateLimited { retry_after_ms: longest })
}

fn joined(frames: impl Iterator<Item = String>) -> String {
    let mut all = String::new();
    for frame in frames {
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(&frame);
    }
    all
}

/// `GET /v1/events`.
pub(super) async fn events(
    State(transport): State<Arc<Transport>>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let asker = Asker::of(&parts, &transport.config);
    let polled = match wanted {
        Ok(Query(wanted)) => poll(&transport, &asker, wanted).await,
        Err(_) => Err(Refusal::BadFrame("query: session, cursor, wait".into())),
    };
    match polled {
        Ok(body) => json(StatusCode::OK, body),
        Err(refusal) => failed(&refusal),
    }
}

async fn poll(
    transport: &Arc<Transport>,
    asker: &Asker,
    wanted: Wanted,
) -> Result<String, Refusal> {
    let session = find(transport, asker, wanted.session).await?;
    let marks = read_cursor(&wanted.cursor, transport.parts.sessions.limits().follows)?;
    // The former poll is replaced first: what it takes from here on is nothing.
    session.heard(transport.parts.clock.now());
    let number = session.poll_begins();
    for has in marks {
        transport.parts.sessions.acknowledge(&session, has);
    }
    let longest = transport.config.poll_wait_ms;
    let wait = Duration::from_millis(wanted.wait.unwrap_or(longest).min(longest));
    let until = tokio::time::Instant::now() + wait;
    loop {
        let ready = std::future::poll_fn(|cx| session.poll_ready_for(number, cx));
        let in_time = tokio::time::timeout_at(until, ready).await.is_ok();
        let taken = transport.parts.sessions.take_for_poll(&session, number);
        let Some((items, follows)) = taken else {
            return Ok(answer(transport, "", &wanted.cursor, 1000));
        };
        let party = session.principal().party();
        let seen = items
            .iter()
            .filter_map(|item| wire::encode(item, party, |bye| transport.reconnect_ms(bye)));
        let frames = joined(seen);
        // What was only among agents wakes a visitor's poll but does not end it.
        if !frames.is_empty() || !in_time || session.is_ended() {
            let longest = if frames.is_empty() { 400 } else { 50 };
            let ended = session.is_ended();
            return Ok(answer(
                transport,
                &frames,
                &cursor(&follows),
                longest * (1 + 9 * u64::from(ended)),
            ));
        }
    }
}

/// The session, if it lives, is a poll's, and is the bearer's.
async fn find(
    transport: &Transport,
    asker: &Asker,
    id: SessionId,
) -> Result<Arc<Session>, Refusal> {
    let who = transport.identify(asker, None).await?;
    let gone = || Refusal::NotFound("session");
    let session = transport.parts.sessions.get(id).ok_or_else(gone)?;
    let fits =
        session.carrier() == Carrier::Poll && session.principal().party() == who.principal.party();
    if fits { Ok(session) } else { Err(gone()) }
}

fn read_cursor(text: &str, most: usize) -> Result<Vec<Follow>, Refusal> {
    let bad = || Refusal::BadFrame("cursor: conversation:seq,conversation:seq…".into());
    let mut marks = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (conversation, sent) = part.split_once(':').ok_or_else(bad)?;
        let conversation = conversation.parse().map_err(|_| bad())?;
        marks.push(Follow { conversation, sent: sent.parse().map_err(|_| bad())? });
        if marks.len() > most {
            return Err(bad());
        }
    }
    Ok(marks)
}

fn cursor(follows: &[Follow]) -> String {
    let mut text = String::new();
    for Follow { conversation, sent } in follows {
        let comma = if text.is_empty() { "" } else { "," };
        text.push_str(&format!("{comma}{conversation}:{sent}"));
    }
    text
}

fn answer(transport: &Transport, frames: &str, cursor: &str, longest: u64) -> String {
    let next_ms = transport.jitter(longest);
    // A cursor that came from a client has been read: digits, colons and commas.
    format!(r#"{{"frames":[{frames}],"cursor":"{cursor}","next_ms":{next_ms}}}"#)
}

impl Transport {
    /// 0 to `longest` ms, so that a crowd does not come back at once.
    pub(super) fn jitter(&self, longest: u64) -> u64 {
        u64::from(u16::from_le_bytes(runtime::random_bytes())) * longest / u64::from(u16::MAX)
    }

    /// When to come back after a bye.
    pub(super) fn reconnect_ms(&self, bye: Bye) -> Option<u64> {
        match bye {
            Bye::Draining => Some(500 + self.jitter(2500)),
            Bye::SlowReader | Bye::Idle => Some(100 + self.jitter(400)),
            Bye::Unauthorized | Bye::Protocol => None,
        }
    }
}

/// Why a body was not read to its end.
fn unread(error: &axum::Error, limit: usize) -> Refusal {
    let source = std::error::Error::source(error);
    match source.is_some_and(|error| error.is::<http_body_util::LengthLimitError>()) {
        true => Refusal::TooLarge { what: "a post", limit },
        false => Refusal::BadFrame("the body did not come whole and in time".into()),
    }
}

fn cut(error: &serde_json::Error) -> String {
    format!("not a post of frames (line {}, column {})", error.line(), error.column())
}

/// A refusal as a failed request.
pub(super) fn failed(refusal: &Refusal) -> Response {
    refused(refusal, wire::error_body(refusal))
}

fn refused(refusal: &Refusal, body: String) -> Response {
    let status = match refusal.code() {
        Code::BadFrame | Code::Invalid => StatusCode::BAD_REQUEST,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Conflict => StatusCode::CONFLICT,
        Code::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::Blocked => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = json(status, body);
    if let Some(ms) = refusal.retry_after_ms() {
        let seconds = HeaderValue::from(ms.div_ceil(1000));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    let fresh = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, fresh);
    response
}

#[cfg(test)]
mod tests;
