//! Wire: frames from clients into commands, and what is pushed into frames. The one place that knows JSON.
//!
//! Everything a client sends is hostile until decoded: unknown types, missing or wrong fields, depth and size come out
//! as a [`Bad`] that says why, and the connection lives. It decides nothing: who may do what is `conversations`.

mod describe;
mod out;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::describe::{ClientFrame, ServerFrame};
pub use self::out::Listed;
pub(super) use self::out::{
    Limits, Welcome, You, ack, bye, encode, error, error_body, follow_answer, me, pong, welcome,
};

use crate::conversations::{Ask, Open};
use crate::domain::agent::Status;
use crate::domain::event::TransferTarget;
use crate::domain::ids::{ClientKey, ConversationId, FileId, Seq};
use crate::domain::refusal::Refusal;

/// What a client says first.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
pub(super) struct Hello {
    /// The protocol it speaks.
    pub(super) protocol: u32,
    /// Its token, unless a header or the cookie carries it.
    #[serde(default)]
    pub(super) token: Option<String>,
    /// What it has.
    #[serde(default)]
    pub(super) resume: Vec<Mark>,
    /// What it is.
    #[serde(default)]
    pub(super) client: Option<String>,
}

/// A place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
pub(super) struct Mark {
    /// Which.
    pub(super) conversation: ConversationId,
    /// The last `seq` the client has.
    #[serde(default)]
    pub(super) seq: Seq,
}

/// A decoded frame.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    Hello(Hello),
    Open(Open),
    Ask { conversation: ConversationId, key: ClientKey, ask: Ask },
    Status(Status),
    Follow(Mark),
    Unfollow(ConversationId),
    Typing { conversation: ConversationId, on: bool },
    Seen { conversation: ConversationId, delivered: Seq, read: Seq },
    Ping,
    Pong,
    Bye,
}

/// A frame that is not what the protocol says, with as much of its address as could be read.
#[derive(Debug, PartialEq)]
pub(super) struct Bad {
    pub(super) refusal: Refusal,
    pub(super) key: Option<ClientKey>,
    pub(super) conversation: Option<ConversationId>,
}

impl From<Refusal> for Bad {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, key: None, conversation: None }
    }
}

impl Frame {
    /// The key of a draft.
    pub(super) fn key(&self) -> Option<&ClientKey> {
        match self {
            Self::Open(open) => Some(&open.key),
            Self::Ask { key, .. } => Some(key),
            _ => None,
        }
    }

    /// The conversation it is about. Frames about the same one are done in the order they came.
    pub(super) fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::Ask { conversation, .. }
            | Self::Unfollow(conversation)
            | Self::Typing { conversation, .. }
            | Self::Seen { conversation, .. } => Some(*conversation),
            Self::Follow(mark) => Some(mark.conversation),
            _ => None,
        }
    }

    /// Whether it may be dropped without a word.
    pub(super) fn is_signal(&self) -> bool {
        matches!(self, Self::Typing { .. } | Self::Seen { .. } | Self::Ping | Self::Pong)
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    key: Option<&'a RawValue>,
    #[serde(default, borrow)]
    conversation: Option<&'a RawValue>,
}

#[derive(Deserialize, JsonSchema)]
struct OpenFields {
    #[serde(default)]
    key: Option<ClientKey>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    offline: bool,
}

#[derive(Deserialize, JsonSchema)]
struct SendFields {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    note: bool,
    #[serde(default)]
    file: Option<FileId>,
}

#[derive(Deserialize, JsonSchema)]
struct RateFields {
    score: u8,
    #[serde(default)]
    comment: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct TransferFields {
    to: TransferTarget,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Addressed {
    conversation: ConversationId,
    #[serde(default)]
    key: Option<ClientKey>,
}

#[derive(Deserialize, JsonSchema)]
struct StatusFields {
    status: Status,
}

#[derive(Deserialize, JsonSchema)]
struct TypingFields {
    conversation: ConversationId,
    on: bool,
}

#[derive(Deserialize, JsonSchema)]
struct SeenFields {
    conversation: ConversationId,
    #[serde(default)]
    delivered: Seq,
    #[serde(default)]
    read: Seq,
}

/// Decodes one frame; `key` stands in where a draft has none (a post's `Idempotency-Key`).
pub(super) fn decode(text: &str, key: Option<&ClientKey>) -> Result<Frame, Bad> {
    let head: Head<'_> = parse(text)?;
    body(&head.kind, text, key).map_err(|refusal| Bad {
        refusal,
        key: head.key.and_then(|raw| serde_json::from_str(raw.get()).ok()).or(key.cloned()),
        conversation: head.conversation.and_then(|raw| serde_json::from_str(raw.get()).ok()),
    })
}

fn body(kind: &str, text: &str, key: Option<&ClientKey>) -> Result<Frame, Refusal> {
    Ok(match kind {
        "hello" => Frame::Hello(parse(text)?),
        "open" => Frame::Open(open(parse(text)?, key)?),
        "send" => {
            let SendFields { text: said, note, file } = parse(text)?;
            let said = said.or_else(|| file.map(|_| String::new()));
            let said = said.ok_or_else(|| missing("text"))?;
            asked(text, key, Ask::Say { text: said, note, file })?
        }
        "close" => asked(text, key, Ask::Close)?,
        "rate" => {
            let RateFields { score, comment } = parse(text)?;
            asked(text, key, Ask::Rate { score, comment })?
        }
        "transfer" => {
            let TransferFields { to, note } = parse(text)?;
            asked(text, key, Ask::Transfer { to, note })?
        }
        "take" => asked(text, key, Ask::Take)?,
        "status" => Frame::Status(parse::<StatusFields>(text)?.status),
        "follow" => Frame::Follow(parse(text)?),
        "unfollow" => Frame::Unfollow(parse::<Addressed>(text)?.conversation),
        "typing" => {
            let TypingFields { conversation, on } = parse(text)?;
            Frame::Typing { conversation, on }
        }
        "seen" => {
            let SeenFields { conversation, delivered, read } = parse(text)?;
            Frame::Seen { conversation, delivered, read }
        }
        "ping" => Frame::Ping,
        "pong" => Frame::Pong,
        "bye" => Frame::Bye,
        _ => return Err(Refusal::BadFrame("unknown type".into())),
    })
}

fn asked(text: &str, key: Option<&ClientKey>, ask: Ask) -> Result<Frame, Refusal> {
    let to: Addressed = parse(text)?;
    let key = named(to.key, key)?;
    Ok(Frame::Ask { conversation: to.conversation, key, ask })
}

fn open(fields: OpenFields, key: Option<&ClientKey>) -> Result<Open, Refusal> {
    let OpenFields { key: own, fields, text, page, language, offline } = fields;
    let key = named(own, key)?;
    Ok(Open { key, fields, text, page, language, offline })
}

/// A draft's key. Those that the server gives to what follows from a change (`c7-1`) are not for clients.
fn named(own: Option<ClientKey>, key: Option<&ClientKey>) -> Result<ClientKey, Refusal> {
    let key = own.or(key.cloned()).ok_or_else(|| missing("key"))?;
    let parts = key.as_str().strip_prefix('c').and_then(|rest| rest.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if parts.is_some_and(|(version, nth)| is_number(version) && is_number(nth)) {
        return Err(Refusal::Invalid {
            field: "key",
            rule: "c<number>-<number> is reserved".into(),
        });
    }
    Ok(key)
}

fn missing(field: &str) -> Refusal {
    Refusal::BadFrame(format!("missing field `{field}`"))
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        let mut why = error.to_string();
        // What the parser quotes from the frame is cut, so that an answer is never larger than its question.
        if why.len() > 120 {
            let cut = (0..=120).rev().find(|&at| why.is_char_boundary(at)).unwrap_or(0);
            why.truncate(cut);
        }
        Refusal::BadFrame(why)
    })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
