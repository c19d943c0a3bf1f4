//! The product's words on a client: `visitor.says("hi")`, `agent.hears("hi")`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use super::{Client, State};
use crate::log::Ack;

impl Client {
    /// Opens a conversation and waits for its ack; returns its id.
    ///
    /// # Errors
    /// When it is refused or not acked in time.
    pub async fn opens(&self) -> anyhow::Result<String> {
        let key = self.drafts(json!({ "type": "open", "fields": {}, "language": "en" }));
        let conversation = self.acked(&key).await?.conversation;
        self.shared.change(|state| state.current = Some(conversation.clone()));
        Ok(conversation)
    }

    /// Drafts anything that carries a key; returns the key at once.
    #[must_use]
    pub fn drafts(&self, mut frame: Value) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let key = format!("k{number}-{:x}", std::process::id());
        frame["key"] = key.clone().into();
        self.shared.change(|state| state.draft(&key, frame));
        key
    }

    /// Sends the draft of a key again.
    ///
    /// # Errors
    /// When the client never drafted it as a message.
    pub fn repeats(&self, key: &str) -> anyhow::Result<()> {
        self.shared.change(|state| {
            let draft = state.log.drafts.iter().find(|draft| draft.key == key);
            let draft = draft.ok_or_else(|| anyhow!("no draft {key}"))?;
            let frame = json!({ "type": draft.kind, "key": key, "text": draft.text,
                                "conversation": draft.conversation });
            state.repeat(key, frame);
            Ok(())
        })
    }

    /// Sends a frame that has no key and need not arrive.
    pub fn signals(&self, frame: Value) {
        self.shared.change(|state| state.loose(frame));
    }

    /// Resumes a conversation from `seq` at the next connection, as an app that kept its place does.
    pub fn follows(&self, conversation: &str, seq: u64) {
        self.shared.change(|state| state.place(conversation, seq));
    }

    /// Follows someone else's conversation from its first event to its last; asks again where that cannot be now.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn watches(&self, conversation: &str) -> anyhow::Result<()> {
        let refusals = |state: &State| state.not_followed.get(conversation).copied();
        loop {
            let before = self.look(refusals);
            self.shared.change(|state| state.watch(conversation));
            let what = format!("the end of {conversation}");
            let ended = self.until(&what, |state| {
                let ended = latest(state, conversation, "closed").is_some();
                (ended || refusals(state) != before).then_some(ended)
            });
            if ended.await? {
                self.signals(json!({ "type": "unfollow", "conversation": conversation }));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits for the ack of a key.
    ///
    /// # Errors
    /// When it is refused (the message is the code) or not acked in time.
    pub async fn acked(&self, key: &str) -> anyhow::Result<Ack> {
        let what = format!("the ack of {key}");
        let answer = self.until(&what, |state| {
            let ack = state.log.acks.get(key).cloned().map(Ok);
            ack.or_else(|| state.log.refused.get(key).cloned().map(Err))
        });
        answer.await?.map_err(|code| anyhow!("refused: {code}"))
    }

    /// Waits for the refusal of a key and returns its code.
    ///
    /// # Errors
    /// When it is acked, or nothing comes in time.
    pub async fn refused(&self, key: &str) -> anyhow::Result<String> {
        let what = format!("the refusal of {key}");
        let answer = self.until(&what, |state| {
            let code = state.log.refused.get(key).cloned().map(Ok);
            code.or_else(|| state.log.acks.get(key).cloned().map(Err))
        });
        answer.await?.map_err(|ack| anyhow!("acked: {ack:?}"))
    }

    /// Says something in the current conversation and waits for the ack.
    ///
    /// # Errors
    /// As [`Client::acked`].
    pub async fn says(&self, text: &str) -> anyhow::Result<Ack> {
        let current = self.current()?;
        self.says_in(&current, text).await
    }

    /// Says something in a conversation and waits for the ack.
    ///
    /// # Errors
    /// As [`Client::acked`].
    pub async fn says_in(&self, conversation: &str, text: &str) -> anyhow::Result<Ack> {
        let key = self.drafts_in(conversation, text);
        self.acked(&key).await
    }

    /// Drafts a message without waiting; returns its key.
    #[must_use]
    pub fn drafts_in(&self, conversation: &str, text: &str) -> String {
        self.drafts(json!({ "type": "send", "conversation": conversation, "text": text }))
    }

    /// Waits until a message with this text was heard; it becomes the current conversation.
    ///
    /// # Errors
    /// When it is not heard in time.
    pub async fn hears(&self, text: &str) -> anyhow::Result<Value> {
        let what = format!("\"{text}\"");
        let found = self.until(&what, |state| {
            let said = |event: &&Value| event["type"] == "message" && event["text"] == text;
            state.log.views.values().flatten().find(said).cloned()
        });
        let event = found.await?;
        let conversation = event["conversation"].as_str().map(str::to_owned);
        self.shared.change(|state| state.current = conversation);
        Ok(event)
    }

    /// Waits for an event of a type in a conversation; the latest one.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn sees(&self, conversation: &str, kind: &str) -> anyhow::Result<Value> {
        let what = format!("{kind} in {conversation}");
        self.until(&what, |state| latest(state, conversation, kind)).await
    }

    /// Waits until everything up to `seq` was heard of a conversation.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn reaches(&self, conversation: &str, seq: u64) -> anyhow::Result<()> {
        let what = format!("seq {seq} of {conversation}");
        self.until(&what, |state| (state.log.last(conversation) >= seq).then_some(())).await
    }

    /// Sets an agent's status and waits for the answer; it is set again after each reconnect.
    ///
    /// # Errors
    /// When nothing answers in time.
    pub async fn is(&self, status: &str) -> anyhow::Result<()> {
        let frame = json!({ "type": "status", "status": status });
        self.shared.change(|state| {
            state.status = Some(frame.clone());
            state.loose(frame);
        });
        self.until(&format!("status {status}"), |state| {
            let me = state.signals.iter().rev().find(|frame| frame["type"] == "me")?;
            (me["you"]["status"] == status).then_some(())
        })
        .await
    }

    /// Closes a conversation and waits for the ack.
    ///
    /// # Errors
    /// As [`Client::acked`].
    pub async fn closes(&self, conversation: &str) -> anyhow::Result<Ack> {
        let key = self.drafts(json!({ "type": "close", "conversation": conversation }));
        self.acked(&key).await
    }

    /// Waits for a signal of a type that `fits`.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn is_told(
        &self,
        kind: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        self.until(kind, |state| {
            state.signals.iter().rev().find(|f| f["type"] == kind && fits(f)).cloned()
        })
        .await
    }

    fn current(&self) -> anyhow::Result<String> {
        match self.look(|state| state.current.clone()) {
            Some(conversation) => Ok(conversation),
            None => bail!("no conversation to speak in"),
        }
    }
}

fn latest(state: &State, conversation: &str, kind: &str) -> Option<Value> {
    let view = state.log.views.get(conversation)?;
    view.iter().rev().find(|event| event["type"] == kind).cloned()
}

/// The agent who has a conversation, as far as this client heard.
pub(crate) fn assigned(state: &State, conversation: &str) -> Option<String> {
    let assigned = latest(state, conversation, "assigned")?;
    let queued = latest(state, conversation, "queued");
    let waits = queued.is_some_and(|q| q["seq"].as_u64() > assigned["seq"].as_u64());
    if waits { None } else { assigned["agent"].as_str().map(str::to_owned) }
}
