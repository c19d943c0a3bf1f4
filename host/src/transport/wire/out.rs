//! What the server says, as frames. A visitor's frames are made here without what is only among agents.

use schemars::JsonSchema;
use serde::Serialize;

use crate::conversations::Sent;
use crate::domain::agent::Status;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{ClientKey, ConversationId, Millis, Seq, SessionId};
use crate::domain::inspection::Report;
use crate::domain::outage::Outage;
use crate::domain::people::{Party, Role};
use crate::domain::refusal::{Code, Refusal};
use crate::sessions::{Bye, Item, Push, Summary};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerFrame")]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Out<'a> {
    Welcome(&'a Welcome<'a>),
    Ack(&'a Ack<'a>),
    Event {
        #[schemars(with = "Event")]
        event: Seen<'a>,
    },
    Conversation {
        conversation: Listed<'a>,
    },
    Gone {
        conversation: ConversationId,
        version: u64,
    },
    Position {
        conversation: ConversationId,
        ahead: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
    },
    Typing {
        conversation: ConversationId,
        from: Party,
        on: bool,
    },
    Seen {
        conversation: ConversationId,
        from: Party,
        delivered: Seq,
        read: Seq,
    },
    Report {
        report: &'a Report,
    },
    Outages {
        outages: &'a [Outage],
    },
    Me {
        you: &'a You,
    },
    Error(Refused<'a>),
    Bye {
        code: Bye,
        #[serde(skip_serializing_if = "Option::is_none")]
        reconnect_ms: Option<u64>,
    },
    Ping,
    Pong,
}

/// The answer to `hello`.
#[derive(Serialize, JsonSchema)]
pub(in crate::transport) struct Welcome<'a> {
    pub(in crate::transport) protocol: u32,
    pub(in crate::transport) session: SessionId,
    pub(in crate::transport) you: &'a You,
    pub(in crate::transport) time: Millis,
    pub(in crate::transport) heartbeat_ms: u64,
    pub(in crate::transport) idle_timeout_ms: u64,
    pub(in crate::transport) version: &'static str,
    pub(in crate::transport) limits: Limits<'a>,
    pub(in crate::transport) conversations: Vec<Listed<'a>>,
}

/// Bounds a client should know.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectionLimits")]
pub(in crate::transport) struct Limits<'a> {
    pub(in crate::transport) text_bytes: usize,
    pub(in crate::transport) frame_bytes: usize,
    pub(in crate::transport) file_bytes: u64,
    pub(in crate::transport) file_types: &'a [&'static str],
}

/// Who a client is.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::transport) struct You {
    pub(in crate::transport) kind: &'static str,
    pub(in crate::transport) id: String,
    pub(in crate::transport) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::transport) role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::transport) status: Option<Status>,
}

/// A receipt.
#[derive(Serialize, JsonSchema)]
pub(in crate::transport) struct Ack<'a> {
    key: &'a ClientKey,
    conversation: ConversationId,
    seq: Seq,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    rules: &'a [String],
}

#[derive(Serialize)]
pub(super) struct Seen<'a> {
    conversation: ConversationId,
    seq: Seq,
    at: Millis,
    from: Party,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a ClientKey>,
    #[serde(flatten)]
    body: &'a EventBody,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErrorFrame")]
pub(super) struct Refused<'a> {
    code: Code,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a ClientKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// A summary as the protocol lists it: the row without what routing keeps for itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Conversation")]
pub struct Listed<'a> {
    id: ConversationId,
    site: crate::domain::ids::SiteId,
    team: crate::domain::ids::TeamId,
    visitor: crate::domain::ids::VisitorId,
    visitor_name: Option<&'a str>,
    verified: bool,
    state: crate::domain::conversation::State,
    agent: Option<crate::domain::ids::AgentId>,
    agent_name: Option<&'a str>,
    needs: &'a [crate::domain::routing::SkillNeed],
    priority: u8,
    fields: &'a std::collections::BTreeMap<String, String>,
    page: Option<&'a str>,
    language: Option<&'a str>,
    offline: bool,
    opened_at: Millis,
    waiting_since: Millis,
    assigned_at: Option<Millis>,
    closed_at: Option<Millis>,
    rating: Option<u8>,
    version: u64,
    head: Seq,
}

impl<'a> From<&'a Summary> for Listed<'a> {
    fn from(summary: &'a Summary) -> Self {
        let row = &summary.row;
        Self {
            id: row.id,
            site: row.site,
            team: row.team,
            visitor: row.visitor,
            visitor_name: row.visitor_name.as_deref(),
            verified: row.verified,
            state: row.state,
            agent: row.agent,
            agent_name: summary.agent_name.as_deref(),
            needs: &row.needs,
            priority: row.priority,
            fields: &row.fields,
            page: row.page.as_deref(),
            language: row.language.as_deref(),
            offline: row.offline,
            opened_at: row.opened_at,
            waiting_since: row.waiting_since,
            assigned_at: row.assigned_at,
            closed_at: row.closed_at,
            rating: row.rating,
            version: row.version,
            head: summary.head,
        }
    }
}

fn text(out: &Out<'_>) -> String {
    // Our own types have string keys only, so this cannot fail; were it to, an empty object is ignored by clients.
    serde_json::to_string(out).unwrap_or_else(|_| "{}".into())
}

pub(in crate::transport) fn welcome(welcome: &Welcome<'_>) -> String {
    text(&Out::Welcome(welcome))
}

pub(in crate::transport) fn ack(
    key: &ClientKey,
    conversation: ConversationId,
    sent: &Sent,
) -> String {
    let Sent { receipt, text: changed, rules } = sent;
    text(&Out::Ack(&Ack {
        key,
        conversation,
        seq: receipt.seq,
        at: receipt.at,
        text: changed.as_deref(),
        rules,
    }))
}

pub(in crate::transport) fn me(you: &You) -> String {
    text(&Out::Me { you })
}

pub(in crate::transport) fn follow_answer(summary: &Summary) -> String {
    text(&Out::Conversation { conversation: summary.into() })
}

pub(in crate::transport) fn pong() -> String {
    text(&Out::Pong)
}

pub(in crate::transport) fn bye(code: Bye, reconnect_ms: Option<u64>) -> String {
    text(&Out::Bye { code, reconnect_ms })
}

pub(in crate::transport) fn error(
    refusal: &Refusal,
    key: Option<&ClientKey>,
    conversation: Option<ConversationId>,
) -> String {
    text(&Out::Error(refused(refusal, key, conversation)))
}

/// A refusal as the body of a failed HTTP request.
pub(in crate::transport) fn error_body(refusal: &Refusal) -> String {
    let refused = serde_json::to_string(&refused(refusal, None, None));
    format!(r#"{{"error":{}}}"#, refused.unwrap_or_else(|_| "{}".into()))
}

fn refused<'a>(
    refusal: &Refusal,
    key: Option<&'a ClientKey>,
    conversation: Option<ConversationId>,
) -> Refused<'a> {
    Refused {
        code: refusal.code(),
        message: refusal.to_string(),
        key,
        conversation,
        retry_after_ms: refusal.retry_after_ms(),
    }
}

/// An item as this party may see it; `None` for what it may not. `reconnect_ms` goes with a `bye draining`.
pub(in crate::transport) fn encode(
    item: &Item,
    party: Party,
    reconnect_ms: impl FnOnce(Bye) -> Option<u64>,
) -> Option<String> {
    let out = match item {
        Item::Reply(reply) => return Some(reply.to_string()),
        Item::Ping => Out::Ping,
        Item::Push(push) => match push {
            Push::Event(event) => return event_for(event, party),
            Push::Summary(summary) => Out::Conversation { conversation: (&**summary).into() },
            &Push::Gone { conversation, version } => Out::Gone { conversation, version },
            &Push::Position { conversation, ahead, wait_ms } => {
                Out::Position { conversation, ahead, wait_ms }
            }
            &Push::Typing { conversation, from, on } => Out::Typing { conversation, from, on },
            &Push::Seen { conversation, from, delivered, read } => {
                Out::Seen { conversation, from, delivered, read }
            }
            Push::Report(report) => {
                if matches!(party, Party::Visitor(_)) {
                    return None;
                }
                Out::Report { report }
            }
            Push::Outages(outages) => {
                if matches!(party, Party::Visitor(_)) {
                    return None;
                }
                Out::Outages { outages }
            }
            &Push::Bye(code) => Out::Bye { code, reconnect_ms: reconnect_ms(code) },
        },
    };
    Some(text(&out))
}

fn event_for(event: &Event, party: Party) -> Option<String> {
    let masked;
    let body = if matches!(party, Party::Visitor(_)) {
        masked = event.body.for_visitor()?;
        &masked
    } else {
        &event.body
    };
    let event = Seen {
        conversation: event.conversation,
        seq: event.seq,
        at: event.at,
        from: event.from,
        key: event.key.as_ref().filter(|_| event.from == party),
        body,
    };
    Some(text(&Out::Event { event }))
}
