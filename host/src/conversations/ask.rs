//! What is asked of an existing conversation: say, close, rate, transfer, take.
//!
//! A draft sent again with the same key changes nothing and gets the first receipt: messages by the
//! stream's own de-duplication, changes of state by remembered receipts, and where the state by now
//! forbids it (a message to a conversation that closed since) by looking the key up in the stream.

use std::sync::Arc;

use super::change::{Denied, Step, named};
use super::members::{own, supervises, takes_part};
use super::{Ask, Conversations, Sent, appended, stored, unavailable};
use crate::domain::conversation::{Command, Conversation, State, apply};
use crate::domain::event::{Event, EventBody, NewEvent, TransferTarget};
use crate::domain::ids::{ClientKey, ConversationId, FileId};
use crate::domain::people::{Party, Principal};
use crate::domain::plugin::{Action, FilterInput};
use crate::domain::refusal::Refusal;
use crate::stream::Receipt;

/// How many of the newest events are looked through for a repeated key.
const LOOK_BACK: u64 = 4000;
/// Events read at once.
const PAGE: usize = 500;

/// What is to be said.
struct Draft {
    text: String,
    note: bool,
    file: Option<FileId>,
}

/// A text after the filter.
pub(super) struct Filtered {
    pub(super) text: String,
    pub(super) masked: bool,
    pub(super) rules: Vec<String>,
}

impl Conversations {
    /// Does one thing to a conversation.
    ///
    /// # Errors
    /// Any refusal; after `Unavailable` from the stream the same key may be tried again.
    pub async fn ask(
        &self,
        who: &Principal,
        conversation: ConversationId,
        key: ClientKey,
        ask: Ask,
    ) -> Result<Sent, Refusal> {
        self.check(&ask)?;
        let party = who.party();
        self.known.take_token(party, self.parts.limits.rate, self.parts.clock.now())?;
        if let Some(receipt) = self.known.done(conversation, party, &key) {
            return Ok(Sent { receipt, text: None, rules: Vec::new() });
        }
        let changes = !matches!(ask, Ask::Say { .. });
        let done = match ask {
            Ask::Say { text, note, file } => {
                let draft = Draft { text, note, file };
                self.say(who, (conversation, key.clone()), draft).await
            }
            other => self.alter(who, conversation, key.clone(), other).await,
        };
        match done {
            Err(refusal) if may_be_repeated(&refusal) => {
                if changes {
                    self.tell_left(&[conversation]).await?;
                }
                self.already(party, conversation, &key).await?.ok_or(refusal)
            }
            done => done,
        }
    }

    /// Sizes, before anything else.
    fn check(&self, ask: &Ask) -> Result<(), Refusal> {
        match ask {
            Ask::Say { note: true, file: Some(_), .. } => {
                Err(Refusal::Invalid { field: "file", rule: "a note has none".into() })
            }
            Ask::Say { text, file: Some(_), .. } => {
                fits("text", text, self.parts.limits.text_bytes)
            }
            Ask::Say { text, .. } => self.check_text("text", text),
            Ask::Rate { comment: Some(text), .. } | Ask::Transfer { note: Some(text), .. } => {
                let limit = self.parts.limits.text_bytes;
                fits("text", text, limit)
            }
            _ => Ok(()),
        }
    }

    /// A text has something in it and not too much.
    pub(super) fn check_text(&self, field: &'static str, text: &str) -> Result<(), Refusal> {
        fits(field, text, self.parts.limits.text_bytes)?;
        if text.trim().is_empty() {
            return Err(Refusal::Invalid { field, rule: "must not be empty".into() });
        }
        Ok(())
    }

    async fn say(
        &self,
        who: &Principal,
        (id, key): (ConversationId, ClientKey),
        draft: Draft,
    ) -> Result<Sent, Refusal> {
        let _open = self.known.lock(id).read().await;
        let row = self.row_told(id).await?;
        takes_part(who, &row)?;
        if row.state == State::Closed {
            return Err(Refusal::Conflict("the conversation is closed"));
        }
        let (body, text, rules) = if draft.note {
            if matches!(who, Principal::Visitor { .. }) {
                return Err(Refusal::Forbidden("notes are among agents"));
            }
            (EventBody::Note { text: draft.text }, None, Vec::new())
        } else {
            self.message((who, &row), &key, draft).await?
        };
        let from = who.party();
        let event = NewEvent { conversation: id, from, key: key.clone(), body };
        let receipt = self.parts.stream.append(event).await.map_err(appended)?;
        if receipt.duplicate
            && let Some(sent) = self.already_at(id, from, &key, receipt).await
        {
            return Ok(sent);
        }
        Ok(Sent { receipt, text, rules })
    }

    /// A message as the filter leaves it, with its file; what is told to its sender about it.
    async fn message(
        &self,
        (who, row): (&Principal, &Conversation),
        key: &ClientKey,
        Draft { text, file, .. }: Draft,
    ) -> Result<(EventBody, Option<String>, Vec<String>), Refusal> {
        let visitor = matches!(who, Principal::Visitor { .. });
        let Filtered { text, mut masked, mut rules } = self.filter(row, visitor, text)?;
        let kept = masked.then(|| text.clone());
        let file = match file {
            Some(id) => {
                let (file, name) = self.attach((who, row), key, id).await?;
                masked |= name.masked;
                rules.extend(name.rules);
                Some(Box::new(file))
            }
            None => None,
        };
        Ok((EventBody::Message { text, masked, file }, kept, rules))
    }

    /// The filter's judgement. Where no plugin answers, the text goes as it is (the point's
    /// declared fall-back).
    pub(super) fn filter(
        &self,
        row: &Conversation,
        from_visitor: bool,
        text: String,
    ) -> Result<Filtered, Refusal> {
        if text.is_empty() {
            return Ok(Filtered { text, masked: false, rules: Vec::new() });
        }
        let now = self.parts.clock.now();
        let language = row.language.clone().map(|tag| ("language".to_owned(), tag));
        let attrs = language.into_iter().collect();
        let seed = row.id.get();
        let input = FilterInput { now, seed, site: row.site, from_visitor, text, attrs };
        let answer = self.parts.plugins.judge(&input);
        let text = input.text;
        let Some(verdict) = answer.value else {
            return Ok(Filtered { text, masked: false, rules: Vec::new() });
        };
        let mut rules: Vec<String> = verdict.hits.into_iter().map(|hit| hit.rule).collect();
        rules.sort();
        rules.dedup();
        match (verdict.action, verdict.text) {
            (Action::Block, _) => Err(Refusal::Blocked(if rules.is_empty() {
                "the filter says no".into()
            } else {
                rules.join(", ")
            })),
            (Action::Mask, Some(text)) => Ok(Filtered { text, masked: true, rules }),
            _ => Ok(Filtered { text, masked: false, rules: Vec::new() }),
        }
    }

    /// Everything that changes the row.
    async fn alter(
        &self,
        who: &Principal,
        id: ConversationId,
        key: ClientKey,
        ask: Ask,
    ) -> Result<Sent, Refusal> {
        let guard = self.known.change(id).await;
        let party = who.party();
        if let Some(receipt) = self.known.done(id, party, &key) {
            return Ok(Sent { receipt, text: None, rules: Vec::new() });
        }
        let row = self.row(id).await?;
        let command = self.command(who, &row, ask).await?;
        let change = apply(&row, command, self.parts.clock.now())?;
        let events = named(&change.next, party, Some(key.clone()), change.events);
        let (from, next, decision) = (Some(row), change.next, None);
        let step = Step { from, next, events, decision, guard };
        match self.commit(step).await {
            Ok(receipts) => {
                let receipt = receipts.first().copied().ok_or_else(super::unavailable)?;
                self.known.note_done((id, party, key), receipt);
                Ok(Sent { receipt, text: None, rules: Vec::new() })
            }
            Err(Denied::AgentFull) => {
                Err(Refusal::Conflict("the agent has as many conversations as it may have"))
            }
            Err(Denied::Lost) => Err(Refusal::Conflict("someone was faster")),
            Err(Denied::Refused(refusal)) => Err(refusal),
        }
    }

    /// Who may ask for what, and the command it comes to.
    async fn command(
        &self,
        who: &Principal,
        row: &Conversation,
        ask: Ask,
    ) -> Result<Command, Refusal> {
        match (who, ask) {
            (_, Ask::Close) => {
                takes_part(who, row)?;
                Ok(Command::Close(who.party()))
            }
            (Principal::Visitor { .. }, Ask::Rate { score, comment }) => {
                takes_part(who, row)?;
                let filtered = comment.map(|text| self.filter(row, true, text)).transpose()?;
                Ok(Command::Rate { score, comment: filtered.map(|filtered| filtered.text) })
            }
            (Principal::Agent { .. }, Ask::Rate { .. }) => {
                Err(Refusal::Forbidden("only the visitor rates"))
            }
            (Principal::Agent { agent, .. }, Ask::Take) => {
                let account = self.account(*agent).await?;
                if !supervises(who) && !account.teams.contains(&row.team) {
                    return Err(Refusal::Forbidden("it waits for another team"));
                }
                let name = account.name;
                if row.state == State::Active && supervises(who) && !own(who, row) {
                    let to = TransferTarget::Agent(*agent);
                    return Ok(Command::Transfer { to, name, note: None });
                }
                Ok(Command::Assign { agent: *agent, name, decision: None })
            }
            (Principal::Agent { .. }, Ask::Transfer { to, note }) => {
                takes_part(who, row)?;
                let name = self.target(row, to).await?;
                Ok(Command::Transfer { to, name, note })
            }
            (Principal::Visitor { .. }, _) => Err(Refusal::Forbidden("only agents do this")),
            (_, Ask::Say { .. }) => Err(Refusal::Conflict("a message changes no state")),
        }
    }

    /// The name of a target that can be handed to.
    async fn target(&self, row: &Conversation, to: TransferTarget) -> Result<String, Refusal> {
        match to {
            TransferTarget::Agent(agent) => {
                let account = self.account(agent).await?;
                if !account.enabled || !self.parts.presence.is_present(agent) {
                    return Err(Refusal::Conflict("that agent is not there"));
                }
                if row.agent == Some(agent) && row.state == State::Active {
                    return Err(Refusal::Conflict("that agent has it already"));
                }
                Ok(account.name)
            }
            TransferTarget::Team(team) => {
                let teams = self.parts.storage.teams().await.map_err(stored)?;
                let found = teams.into_iter().find(|known| known.id == team);
                found.map(|team| team.name).ok_or(Refusal::NotFound("team"))
            }
        }
    }

    /// The receipt of a key that this party used here before.
    ///
    /// # Errors
    /// It cannot be known now.
    pub(super) async fn already(
        &self,
        party: Party,
        id: ConversationId,
        key: &ClientKey,
    ) -> Result<Option<Sent>, Refusal> {
        let stream = &self.parts.stream;
        let head = stream.head(id).await.map_err(|_| unavailable())?;
        let mut after = head.saturating_sub(LOOK_BACK);
        while after < head {
            let events = stream.read(id, after, PAGE).await.map_err(|_| unavailable())?;
            if let Some(event) = find(&events, party, key) {
                return Ok(Some(sent(event)));
            }
            let Some(last) = events.last() else { break };
            after = last.seq;
        }
        Ok(None)
    }

    /// The text that was kept under a key is the first one, whatever came with the repetition.
    async fn already_at(
        &self,
        id: ConversationId,
        party: Party,
        key: &ClientKey,
        receipt: Receipt,
    ) -> Option<Sent> {
        let events = self.parts.stream.read(id, receipt.seq.saturating_sub(1), 1).await.ok()?;
        find(&events, party, key).map(sent)
    }
}

/// The event that a party's key became.
pub(super) fn find<'a>(
    events: &'a [Arc<Event>],
    party: Party,
    key: &ClientKey,
) -> Option<&'a Event> {
    let same = |event: &&Arc<Event>| event.from == party && event.key.as_ref() == Some(key);
    events.iter().find(same).map(AsRef::as_ref)
}

/// What the sender of an event was told, told again.
pub(super) fn sent(event: &Event) -> Sent {
    let text = match &event.body {
        EventBody::Message { text, masked: true, .. } => Some(text.clone()),
        _ => None,
    };
    let receipt = Receipt { seq: event.seq, at: event.at, duplicate: true };
    Sent { receipt, text, rules: Vec::new() }
}

/// Refusals that a repeated draft can meet although it was done the first time.
fn may_be_repeated(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Conflict(_) | Refusal::Forbidden(_) | Refusal::Blocked(_))
}

/// At most `limit` bytes.
pub(super) fn fits(what: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() > limit { Err(Refusal::TooLarge { what, limit }) } else { Ok(()) }
}
