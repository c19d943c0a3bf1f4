//! What one client drafted, was promised and was told: the evidence the checker works on.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// Who a client is: `("visitor" | "agent", id)`.
pub type Who = (String, String);

/// Something a client asked to be kept.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its key.
    pub key: String,
    /// Into which conversation; empty for `open`.
    pub conversation: String,
    /// The frame's type.
    pub kind: String,
    /// The text, if any.
    pub text: Option<String>,
}

/// A promise that a draft is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// In which conversation.
    pub conversation: String,
    /// Its number.
    pub seq: u64,
    /// The text as kept, when the filter changed it.
    pub text: Option<String>,
}

/// Everything one client knows.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Who it is.
    pub who: Who,
    /// In the order they were drafted.
    pub drafts: Vec<Draft>,
    /// By key.
    pub acks: HashMap<String, Ack>,
    /// A key was acked twice with different promises.
    pub broken_promises: Vec<String>,
    /// Codes of final refusals by key.
    pub refused: HashMap<String, String>,
    /// Events by conversation, as they came.
    pub views: BTreeMap<String, Vec<Value>>,
}

impl Log {
    /// Takes an `ack` frame.
    pub fn ack(&mut self, frame: &Value) {
        let text = |name: &str| frame[name].as_str().map(str::to_owned);
        let Some(key) = text("key") else { return };
        let ack = Ack {
            conversation: text("conversation").unwrap_or_default(),
            seq: frame["seq"].as_u64().unwrap_or_default(),
            text: text("text"),
        };
        match self.acks.get(&key) {
            Some(first) if first.seq != ack.seq || first.conversation != ack.conversation => {
                self.broken_promises.push(format!("key {key}: {first:?}, then {ack:?}"));
            }
            Some(_) => {}
            None => {
                self.acks.insert(key, ack);
            }
        }
    }

    /// Takes an event; returns its conversation.
    pub fn event(&mut self, event: &Value) -> String {
        let conversation = event["conversation"].as_str().unwrap_or_default().to_owned();
        self.views.entry(conversation.clone()).or_default().push(event.clone());
        conversation
    }

    /// The last `seq` heard of a conversation.
    #[must_use]
    pub fn last(&self, conversation: &str) -> u64 {
        let last = self.views.get(conversation).and_then(|view| view.last());
        last.and_then(|event| event["seq"].as_u64()).unwrap_or_default()
    }
}
