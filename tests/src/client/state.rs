//! A client's state: what it has drafted, what it was told, what is still to be sent. Pure; the carriers do the I/O.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::log::{Draft, Log};

/// Most signals kept.
const SIGNALS: usize = 4096;

/// A draft without an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) key: String,
    frame: Value,
    /// The connection on which it was last sent; 0: none.
    sent_on: u64,
    not_before: Option<Instant>,
}

/// Everything a client knows.
#[derive(Debug, Default)]
pub struct State {
    /// The evidence.
    pub log: Log,
    /// How often it was welcomed.
    pub welcomes: u64,
    /// The last `welcome`.
    pub welcome: Value,
    /// Everything but acks and events, newest last, bounded.
    pub signals: VecDeque<Value>,
    /// Why this client is over for good.
    pub over: Option<String>,
    /// Drafts do not wait for each other.
    pub(super) pipelines: bool,
    /// Conversations whose end was heard: not resumed.
    closed: BTreeSet<String>,
    /// Where an app was before this client was made.
    places: BTreeMap<String, u64>,
    /// How often it was told that it does not follow a conversation it asked for.
    pub(super) not_followed: BTreeMap<String, u64>,
    /// Conversations to resume.
    pub(super) followed: BTreeSet<String>,
    pub(super) outbox: VecDeque<Pending>,
    loose: VecDeque<Value>,
    /// Sent again after each welcome.
    pub(super) status: Option<Value>,
    /// What `says` without a conversation means.
    pub(super) current: Option<String>,
    /// Why the last connection ended.
    pub last_error: Option<String>,
}

impl State {
    /// Knows nothing yet.
    pub(super) fn new(pipelines: bool) -> Self {
        Self { pipelines, ..Self::default() }
    }

    /// The first frame of a connection.
    pub(super) fn hello(&mut self, token: &str) -> Value {
        // What was to be followed is resumed.
        self.loose.retain(|frame| frame["type"] != "follow");
        let resume: Vec<Value> = self
            .followed
            .iter()
            .map(|id| json!({ "conversation": id, "seq": self.last(id) }))
            .collect();
        json!({ "type": "hello", "protocol": 1, "token": token, "resume": resume,
                "client": "harness" })
    }

    /// The long-poll cursor of what was heard.
    pub(super) fn cursor(&self) -> String {
        let place = |id: &String| format!("{id}:{}", self.last(id));
        self.followed.iter().map(place).collect::<Vec<_>>().join(",")
    }

    /// Follow from what was heard on, now and on later connections.
    pub(super) fn watch(&mut self, conversation: &str) {
        let seq = self.last(conversation);
        self.follow(conversation);
        self.loose(json!({ "type": "follow", "conversation": conversation, "seq": seq }));
    }

    /// Resume from here next time.
    pub(super) fn place(&mut self, conversation: &str, seq: u64) {
        self.places.insert(conversation.to_owned(), seq);
        self.follow(conversation);
    }

    fn last(&self, conversation: &str) -> u64 {
        let place = self.places.get(conversation).copied().unwrap_or_default();
        self.log.last(conversation).max(place)
    }

    /// Keeps a draft until it is answered.
    pub(super) fn draft(&mut self, key: &str, frame: Value) {
        let text = |name: &str| frame[name].as_str().map(str::to_owned);
        self.log.drafts.push(Draft {
            key: key.to_owned(),
            conversation: text("conversation").unwrap_or_default(),
            kind: text("type").unwrap_or_default(),
            text: text("text"),
        });
        self.repeat(key, frame);
    }

    /// Puts a frame with a key into the outbox, new or again.
    pub(super) fn repeat(&mut self, key: &str, frame: Value) {
        let pending = Pending { key: key.to_owned(), frame, sent_on: 0, not_before: None };
        self.outbox.push_back(pending);
    }

    /// Sends a frame that need not arrive.
    pub(super) fn loose(&mut self, frame: Value) {
        self.loose.push_back(frame);
    }

    /// What to send now on this connection, at most `limit` frames. A draft waits for those before it in its
    /// conversation, or a refusal to be tried again would change their order; unless this client pipelines.
    pub(super) fn take(&mut self, connection: u64, limit: usize) -> Vec<Value> {
        let mut frames: Vec<Value> = Vec::new();
        while frames.len() < limit
            && let Some(frame) = self.loose.pop_front()
        {
            frames.push(frame);
        }
        let now = Instant::now();
        let mut busy = BTreeSet::new();
        for pending in &mut self.outbox {
            let conversation = pending.frame["conversation"].as_str().unwrap_or_default();
            let first = busy.insert(conversation.to_owned());
            let late = pending.not_before.is_some_and(|at| at > now);
            if frames.len() >= limit {
                break;
            }
            if (first || self.pipelines) && !late && pending.sent_on != connection {
                pending.sent_on = connection;
                pending.not_before = None;
                frames.push(pending.frame.clone());
            }
        }
        frames
    }

    /// When the first delayed draft may go.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.outbox.iter().find_map(|pending| pending.not_before)
    }

    /// Takes a frame from the server.
    pub(super) fn hear(&mut self, frame: &Value) {
        match frame["type"].as_str().unwrap_or_default() {
            "welcome" => self.welcomed(frame),
            "ack" => {
                self.log.ack(frame);
                self.answered(frame["key"].as_str().unwrap_or_default());
                if let Some(conversation) = frame["conversation"].as_str() {
                    self.follow(conversation);
                }
            }
            "event" => {
                let event = &frame["event"];
                let conversation = self.log.event(event);
                self.follow(&conversation);
                // A visitor keeps its place in its last conversation: without it the server tells it all again.
                if event["type"] == "closed" && self.log.who.0 != "visitor" {
                    self.closed.insert(conversation.clone());
                    self.followed.remove(&conversation);
                } else {
                    self.current = Some(conversation);
                }
            }
            "error" => self.refused(frame),
            "bye" => {
                let code = frame["code"].as_str().unwrap_or_default();
                if matches!(code, "unauthorized" | "protocol") {
                    self.over = Some(format!("the server said bye: {frame}"));
                }
                self.signal(frame);
            }
            "ping" => self.loose(json!({ "type": "pong" })),
            _ => self.signal(frame),
        }
    }

    /// The connection ended.
    pub(super) fn lost(&mut self, error: &anyhow::Error) {
        self.last_error = Some(format!("{error:#}"));
        self.signal(&json!({ "type": "lost", "why": format!("{error:#}") }));
    }

    fn welcomed(&mut self, frame: &Value) {
        self.welcomes += 1;
        self.welcome = frame.clone();
        let text = |name: &str| frame["you"][name].as_str().unwrap_or_default().to_owned();
        self.log.who = (text("kind"), text("id"));
        if let Some(status) = self.status.clone() {
            self.loose.push_front(status);
        }
    }

    fn follow(&mut self, conversation: &str) {
        if !conversation.is_empty() && !self.closed.contains(conversation) {
            self.followed.insert(conversation.to_owned());
        }
    }

    fn answered(&mut self, key: &str) {
        self.outbox.retain(|pending| pending.key != key);
    }

    fn refused(&mut self, frame: &Value) {
        let code = frame["code"].as_str().unwrap_or_default().to_owned();
        if let Some(key) = frame["key"].as_str() {
            if matches!(code.as_str(), "rate_limited" | "unavailable") {
                let wait = frame["retry_after_ms"].as_u64().unwrap_or(100).clamp(10, 5_000);
                let due = Instant::now() + Duration::from_millis(wait);
                for pending in self.outbox.iter_mut().filter(|pending| pending.key == key) {
                    pending.not_before = Some(due);
                    pending.sent_on = 0;
                }
            } else {
                self.log.refused.insert(key.to_owned(), code);
                self.answered(key);
            }
        } else if let Some(conversation) = frame["conversation"].as_str() {
            *self.not_followed.entry(conversation.to_owned()).or_default() += 1;
        }
        self.signal(frame);
    }

    fn signal(&mut self, frame: &Value) {
        if self.signals.len() == SIGNALS {
            self.signals.pop_front();
        }
        self.signals.push_back(frame.clone());
    }
}
