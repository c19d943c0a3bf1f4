//! Dispatch: the one place where a frame becomes a call. Both carriers come through here.

use std::sync::Arc;
use std::time::Instant;

use super::Transport;
use super::admission::Asker;
use super::wire::{self, Bad, Frame, Hello, Mark, You};
use crate::domain::conversation::State;
use crate::domain::ids::{ClientKey, ConversationId};
use crate::domain::people::{Party, Principal};
use crate::domain::refusal::Refusal;
use crate::runtime;
use crate::sessions::{Carrier, Follow, Push, Session, Summary};

/// What comes back for one frame.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The frame to send, if there is one.
    pub(super) frame: Option<String>,
    /// Why it was refused, if it was.
    pub(super) refusal: Option<Refusal>,
}

impl Answer {
    fn ok(frame: String) -> Self {
        Self { frame: Some(frame), refusal: None }
    }

    pub(super) fn refused(bad: Bad) -> Self {
        let frame = wire::error(&bad.refusal, bad.key.as_ref(), bad.conversation);
        Self { frame: Some(frame), refusal: Some(bad.refusal) }
    }
}

/// A frame as it came, decoded or not.
pub(super) type Decoded = Result<Frame, Bad>;

impl Transport {
    /// Begins a session: who it is, what it takes part in, what it has. The `welcome` is to be sent before anything
    /// that is taken from the outbox.
    pub(super) async fn greet(
        &self,
        hello: Hello,
        carrier: Carrier,
        asker: &Asker,
    ) -> Result<(Arc<Session>, String), Refusal> {
        self.check(&hello)?;
        let proven = self.identify(asker, hello.token.as_deref()).await?;
        let who = proven.principal.clone();
        let you = self.you(&who).await?;
        if let Principal::Agent { agent, .. } = who {
            self.parts.presence.joined(agent);
        }
        let session = self.parts.sessions.open(proven, carrier).inspect_err(|_| {
            if let Principal::Agent { agent, .. } = who {
                self.parts.presence.left(agent, false);
            }
        })?;
        tracing::debug!(session = %session.id(), client = hello.client, "hello");
        // Found by party from now on: what is assigned meanwhile is followed by `follow_for`.
        match self.catch_up(&session, &hello.resume).await {
            Ok(summaries) => Ok((session.clone(), self.welcome(&session, &you, &summaries))),
            Err(refusal) => {
                self.parts.sessions.end(&session, None);
                Err(refusal)
            }
        }
    }

    fn check(&self, hello: &Hello) -> Result<(), Refusal> {
        if hello.protocol != 1 {
            return Err(Refusal::Invalid { field: "protocol", rule: "1".into() });
        }
        if hello.client.as_ref().is_some_and(|client| client.len() > 64) {
            return Err(Refusal::Invalid { field: "client", rule: "at most 64 bytes".into() });
        }
        let most = self.parts.sessions.limits().follows;
        if hello.resume.len() > most {
            return Err(Refusal::Invalid { field: "resume", rule: format!("at most {most}") });
        }
        Ok(())
    }

    fn welcome(&self, session: &Session, you: &You, summaries: &[Arc<Summary>]) -> String {
        let limits = self.parts.sessions.limits();
        let files = self.parts.conversations.file_limits();
        wire::welcome(&wire::Welcome {
            protocol: 1,
            session: session.id(),
            you,
            time: self.parts.clock.now(),
            heartbeat_ms: limits.heartbeat_ms,
            idle_timeout_ms: limits.idle_timeout_ms,
            version: env!("CARGO_PKG_VERSION"),
            limits: wire::Limits {
                text_bytes: self.config.text_bytes,
                frame_bytes: self.config.frame_bytes,
                file_bytes: files.bytes,
                file_types: &files.types,
            },
            conversations: summaries.iter().map(|summary| (&**summary).into()).collect(),
        })
    }

    /// Follows what the client resumes (from where it is) and takes part in (from the beginning). What may not be
    /// seen any more is answered by an error in the outbox and does not end the session.
    async fn catch_up(
        &self,
        session: &Arc<Session>,
        resume: &[Mark],
    ) -> Result<Vec<Arc<Summary>>, Refusal> {
        let who = session.principal();
        let summaries = self.parts.conversations.initial(who).await?;
        let mine = |summary: &Summary| match *who {
            Principal::Visitor { visitor, .. } => summary.row.visitor == visitor,
            Principal::Agent { agent, .. } => summary.row.agent == Some(agent),
        };
        for mark in resume {
            let known = |summary: &Arc<Summary>| summary.row.id == mark.conversation;
            let visible = if summaries.iter().any(known) {
                Ok(())
            } else {
                self.parts.conversations.visible(who, mark.conversation).await.map(|_| ())
            };
            let follow = Follow { conversation: mark.conversation, sent: mark.seq };
            let followed = visible.and_then(|()| self.parts.sessions.follow(session, follow, true));
            if let Err(refusal) = followed {
                self.reply(session, wire::error(&refusal, None, Some(mark.conversation)));
            }
        }
        for summary in summaries.iter().filter(|summary| mine(summary)) {
            let follow = Follow { conversation: summary.row.id, sent: 0 };
            self.parts.sessions.follow(session, follow, false)?;
        }
        if matches!(who, Principal::Visitor { .. }) {
            self.tell_places(session, &summaries);
        }
        Ok(summaries)
    }

    /// A visitor that comes back while it waits is told its place again.
    fn tell_places(&self, session: &Arc<Session>, summaries: &[Arc<Summary>]) {
        for summary in summaries.iter().filter(|summary| summary.row.state == State::Waiting) {
            if let Some(push) = self.parts.conversations.place(summary.row.id) {
                self.parts.sessions.put(session, crate::sessions::Item::Push(push));
            }
        }
    }

    pub(super) fn reply(&self, session: &Arc<Session>, frame: String) {
        let item = crate::sessions::Item::Reply(frame.into_boxed_str());
        self.parts.sessions.put(session, item);
    }

    /// Who this is, as clients are told.
    async fn you(&self, who: &Principal) -> Result<You, Refusal> {
        let away = |error: crate::storage::StorageError| {
            tracing::warn!(%error, "cannot look up who says hello");
            Refusal::Unavailable { reason: "storage", retry_after_ms: 1000 }
        };
        match *who {
            Principal::Visitor { visitor, .. } => {
                let row = self.parts.storage.visitor(visitor).await.map_err(away)?;
                let name = row.and_then(|row| row.name);
                let id = visitor.to_string();
                Ok(You { kind: "visitor", id, name, role: None, status: None })
            }
            Principal::Agent { agent, role } => {
                let row = self.parts.storage.agent(agent).await.map_err(away)?;
                let row = row.ok_or(Refusal::Unauthorized("no such account"))?;
                Ok(You {
                    kind: "agent",
                    id: agent.to_string(),
                    name: Some(row.name),
                    role: Some(role),
                    status: Some(row.status),
                })
            }
        }
    }

    /// Does a batch of frames in a task of its own, so that what was begun is finished even if the client goes away.
    /// Frames about one conversation are done in order, different conversations at the same time; answers go into
    /// the outbox as they come.
    pub(super) fn work(
        self: &Arc<Self>,
        session: &Arc<Session>,
        frames: Vec<Decoded>,
    ) -> tokio::task::JoinHandle<()> {
        let (transport, session) = (self.clone(), session.clone());
        runtime::spawn(async move {
            let lanes = lanes(frames).into_iter().map(|lane| async {
                for decoded in lane {
                    if let Some(frame) = transport.answer(&session, decoded).await.frame {
                        transport.reply(&session, frame);
                    }
                }
            });
            futures_util::future::join_all(lanes).await;
        })
    }

    /// Does one frame, and counts how it went.
    pub(super) async fn answer(&self, session: &Arc<Session>, decoded: Decoded) -> Answer {
        let begun = Instant::now();
        let is_draft = decoded.as_ref().is_ok_and(|frame| frame.key().is_some());
        let answer = self.done(session, decoded).await;
        match &answer.refusal {
            Some(refusal) => {
                self.parts.meters.frame_refusals.with_label_values(&[refusal.code().word()]).inc();
            }
            None if is_draft => {
                self.parts.meters.ack_seconds.observe(begun.elapsed().as_secs_f64());
            }
            None => {}
        }
        answer
    }

    async fn done(&self, session: &Arc<Session>, decoded: Decoded) -> Answer {
        let frame = match decoded {
            Ok(frame) => frame,
            Err(bad) => return Answer::refused(bad),
        };
        if let Err(wait) = session.allow(self.parts.clock.now()) {
            if frame.is_signal() {
                return Answer::default();
            }
            return Answer::refused(Bad {
                refusal: Refusal::RateLimited { retry_after_ms: wait },
                key: frame.key().cloned(),
                conversation: frame.conversation(),
            });
        }
        let address = (frame.key().cloned(), frame.conversation());
        // Boxed: what a command needs is large and rarely there.
        match Box::pin(self.run(session, frame)).await {
            Ok(Some(frame)) => Answer::ok(frame),
            Ok(None) => Answer::default(),
            Err(refusal) => {
                let (key, conversation) = address;
                Answer::refused(Bad { refusal, key, conversation })
            }
        }
    }

    async fn run(&self, session: &Arc<Session>, frame: Frame) -> Result<Option<String>, Refusal> {
        let who = session.principal();
        let conversations = &self.parts.conversations;
        match frame {
            Frame::Hello(_) => Err(Refusal::BadFrame("hello was said already".into())),
            Frame::Open(open) => {
                let key = open.key.clone();
                let (conversation, sent) = conversations.open(who, open).await?;
                self.parts.sessions.follow_for(who.party(), Follow { conversation, sent: 0 });
                Ok(Some(wire::ack(&key, conversation, &sent)))
            }
            Frame::Ask { conversation, key, ask } => {
                let sent = conversations.ask(who, conversation, key.clone(), ask).await?;
                Ok(Some(wire::ack(&key, conversation, &sent)))
            }
            Frame::Status(status) => {
                conversations.set_status(who, status).await?;
                Ok(Some(wire::me(&self.you(who).await?)))
            }
            Frame::Follow(mark) => self.follow(session, mark).await.map(Some),
            Frame::Unfollow(conversation) => {
                self.parts.sessions.unfollow(session, conversation);
                Ok(None)
            }
            Frame::Typing { conversation, on } => {
                let from = who.party();
                self.signal(who, conversation, Push::Typing { conversation, from, on }).await;
                Ok(None)
            }
            Frame::Seen { conversation, delivered, read } => {
                let from = who.party();
                let push = Push::Seen { conversation, from, delivered: delivered.max(read), read };
                self.signal(who, conversation, push).await;
                Ok(None)
            }
            Frame::Ping => Ok(Some(wire::pong())),
            Frame::Pong => Ok(None),
            Frame::Bye => {
                self.parts.sessions.leave(session);
                Ok(None)
            }
        }
    }

    async fn follow(&self, session: &Arc<Session>, mark: Mark) -> Result<String, Refusal> {
        let who = session.principal();
        if matches!(who.party(), Party::Visitor(_)) {
            self.parts.conversations.takes_part(who, mark.conversation).await?;
        }
        let summary = self.parts.conversations.visible(who, mark.conversation).await?;
        let follow = Follow { conversation: mark.conversation, sent: mark.seq };
        self.parts.sessions.follow(session, follow, true)?;
        // Someone may have taken it meanwhile: whoever follows from here on is told to stop by that change.
        if let Err(refusal) = self.parts.conversations.visible(who, mark.conversation).await {
            self.parts.sessions.unfollow(session, mark.conversation);
            return Err(refusal);
        }
        Ok(wire::follow_answer(&summary))
    }

    /// Shows a signal to the others; one that may not be given is lost.
    async fn signal(&self, who: &Principal, conversation: ConversationId, push: Push) {
        if self.parts.conversations.takes_part(who, conversation).await.is_ok() {
            let but = Some(who.party());
            self.parts.sessions.push_to_followers(conversation, but, &push);
        }
    }
}

/// Frames by what they are about, each lane in order.
fn lanes(frames: Vec<Decoded>) -> Vec<Vec<Decoded>> {
    let about = |decoded: &Decoded| match decoded {
        Ok(frame) => frame.conversation(),
        Err(bad) => bad.conversation,
    };
    let mut lanes: Vec<(Option<ConversationId>, Vec<Decoded>)> = Vec::new();
    for decoded in frames {
        let lane = about(&decoded);
        match lanes.iter_mut().find(|(is, _)| *is == lane) {
            Some((_, frames)) => frames.push(decoded),
            None => lanes.push((lane, vec![decoded])),
        }
    }
    lanes.into_iter().map(|(_, frames)| frames).collect()
}

/// The key a post's `Idempotency-Key` stands for.
pub(super) fn key_of(
    header: Option<&axum::http::HeaderValue>,
) -> Result<Option<ClientKey>, Refusal> {
    let Some(value) = header else { return Ok(None) };
    let key = value.to_str().ok().and_then(|text| text.parse().ok());
    key.map(Some)
        .ok_or_else(|| Refusal::BadFrame("Idempotency-Key: 1 to 64 printable ASCII".into()))
}
