//! Opening a conversation: the form is checked, the first message filtered, the row stored with
//! what it tells.
//!
//! The same visitor and key open one conversation, also across a restart: recent openings are
//! remembered, and beyond that the key is looked up in the first events of the visitor's newest
//! conversations.

use std::collections::BTreeMap;

use super::ask::{Filtered, find, fits, sent};
use super::change::{Denied, Step};
use super::{Conversations, Open, Sent, stored, unavailable};
use crate::domain::conversation::{Conversation, State};
use crate::domain::event::{EventBody, NewEvent, QueueCause};
use crate::domain::ids::{ClientKey, ConversationId, SiteId, VisitorId};
use crate::domain::people::{FormField, Party, Principal, Site, Visitor};
use crate::domain::refusal::Refusal;
use crate::domain::routing::SkillNeed;
use crate::runtime;
use crate::storage::Search;

/// Most conversations of one visitor that are not closed.
const MOST_OPEN: usize = 5;
/// Most bytes kept of a page's address.
const PAGE_BYTES: usize = 1024;
/// The `opened` event and the first message are among the first few events.
const FIRST_EVENTS: usize = 4;

impl Conversations {
    /// Opens a conversation for a visitor. Same visitor and key: the same conversation again.
    ///
    /// # Errors
    /// `Invalid` names the form's field; `Conflict` when the visitor has too many open ones.
    pub async fn open(
        &self,
        who: &Principal,
        open: Open,
    ) -> Result<(ConversationId, Sent), Refusal> {
        let Principal::Visitor { site, visitor } = *who else {
            return Err(Refusal::Forbidden("only visitors open conversations"));
        };
        self.known.take_token(who.party(), self.parts.limits.rate, self.parts.clock.now())?;
        match &open.text {
            Some(text) => self.check_text("text", text)?,
            None if open.offline => {
                let rule = "a message for later needs a text".into();
                return Err(Refusal::Invalid { field: "text", rule });
            }
            None => {}
        }
        let _alone = self.known.opening(visitor).await;
        if let Some(again) = self.opened_before(visitor, &open.key).await? {
            return Ok(again);
        }
        let site = self.site(site).await?;
        let visitor = self.visitor(visitor, &site).await?;
        let needs = self.check_form(&site, &open.fields)?;
        let key = open.key.clone();
        let text = open.text.clone();
        let row = self.new_row(&site, &visitor, open, needs);
        let text = text.map(|text| self.filter(&row, true, text)).transpose()?;
        let id = row.id;
        let sent = self.store_new(row, key.clone(), text).await?;
        self.known.opened.lock().insert((visitor.id, key), id);
        Ok((id, sent))
    }

    async fn site(&self, id: SiteId) -> Result<Site, Refusal> {
        let site = self.parts.storage.site(id).await.map_err(stored)?;
        let site = site.ok_or(Refusal::NotFound("site"))?;
        if !site.enabled {
            return Err(Refusal::Forbidden("this site takes no conversations"));
        }
        Ok(site)
    }

    async fn visitor(&self, id: VisitorId, site: &Site) -> Result<Visitor, Refusal> {
        let visitor = self.parts.storage.visitor(id).await.map_err(stored)?;
        let visitor = visitor.ok_or(Refusal::NotFound("visitor"))?;
        if site.widget.identity_required && visitor.identity.is_none() {
            return Err(Refusal::Forbidden("this site talks only to people it vouches for"));
        }
        Ok(visitor)
    }

    /// The conversation this key opened before; refuses when too many are open.
    async fn opened_before(
        &self,
        visitor: VisitorId,
        key: &ClientKey,
    ) -> Result<Option<(ConversationId, Sent)>, Refusal> {
        let remembered = self.known.opened.lock().get(&(visitor, key.clone())).copied();
        if let Some(id) = remembered {
            return Ok(self.first_with(id, visitor, key).await?.map(|sent| (id, sent)));
        }
        let search = Search { visitor: Some(visitor), limit: 8, ..Search::default() };
        let rows = self.parts.storage.search(&search).await.map_err(stored)?;
        if !rows.is_empty() {
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            self.tell_left(&ids).await?;
        }
        for row in &rows {
            if let Some(sent) = self.first_with(row.id, visitor, key).await? {
                return Ok(Some((row.id, sent)));
            }
        }
        if rows.iter().filter(|row| row.state != State::Closed).count() >= MOST_OPEN {
            return Err(Refusal::Conflict("too many open conversations"));
        }
        Ok(None)
    }

    async fn first_with(
        &self,
        id: ConversationId,
        visitor: VisitorId,
        key: &ClientKey,
    ) -> Result<Option<Sent>, Refusal> {
        let first = self.parts.stream.read(id, 0, FIRST_EVENTS).await;
        let first = first.map_err(|_| unavailable())?;
        Ok(find(&first, Party::Visitor(visitor), key).map(sent))
    }

    /// The pre-chat form: every answer belongs to a field (a name may always be given) and keeps
    /// its rule. Gives the skills needed.
    fn check_form(
        &self,
        site: &Site,
        answers: &BTreeMap<String, String>,
    ) -> Result<Vec<SkillNeed>, Refusal> {
        let form = &site.widget.fields;
        for (name, answer) in answers {
            fits("field", answer, self.parts.limits.field_bytes)?;
            if name != "name" && !form.iter().any(|field| field.name == *name) {
                return Err(invalid("has an answer to a question that the site does not ask"));
            }
        }
        let mut needs = site.widget.needs.clone();
        for field in form.iter().take(4) {
            let answer = answers.get(&field.name).map_or("", String::as_str).trim();
            if answer.is_empty() {
                if field.required {
                    return Err(invalid(&format!("{} is required", field.name)));
                }
                continue;
            }
            if let Some(skill) = chosen(field, answer)?
                && !needs.iter().any(|need| need.skill.eq_ignore_ascii_case(&skill))
            {
                needs.push(SkillNeed { skill, level: 1, required: true });
            }
        }
        Ok(needs)
    }

    fn new_row(
        &self,
        site: &Site,
        visitor: &Visitor,
        open: Open,
        needs: Vec<SkillNeed>,
    ) -> Conversation {
        let now = self.parts.clock.now();
        let verified = visitor.identity.is_some();
        let said = open.fields.get("name").map(|name| name.trim().to_owned());
        // Whom the site vouches for has the name it signed, or none: what is typed into the form is
        // an answer in the form.
        let name = if verified { visitor.name.clone() } else { said };
        let mut fields = open.fields;
        if let Some(email) = visitor.email.clone().filter(|_| verified) {
            fields.insert("email".into(), email);
        }
        Conversation {
            id: fresh(|| ConversationId::new(runtime::fresh_id(&self.parts.clock))),
            site: site.id,
            team: site.team,
            visitor: visitor.id,
            visitor_name: name.filter(|name| !name.is_empty()),
            verified,
            state: State::Waiting,
            agent: None,
            needs,
            priority: 0,
            fields,
            page: open.page.map(|page| shortened(page, PAGE_BYTES)),
            language: open.language.filter(|tag| is_language(tag)),
            offline: open.offline,
            opened_at: now,
            waiting_since: now,
            assigned_at: None,
            closed_at: None,
            rating: None,
            declined: Vec::new(),
            version: 1,
        }
    }

    /// Stores it. The client's key names the first message, or the opening itself when there is
    /// none.
    async fn store_new(
        &self,
        row: Conversation,
        key: ClientKey,
        text: Option<Filtered>,
    ) -> Result<Sent, Refusal> {
        let from = Party::Visitor(row.visitor);
        let rules = text.as_ref().map(|text| text.rules.clone()).unwrap_or_default();
        let kept = text.as_ref().filter(|text| text.masked).map(|text| text.text.clone());
        let main = usize::from(text.is_some());
        let mut bodies = vec![(
            from,
            EventBody::Opened {
                site: row.site,
                visitor: row.visitor,
                fields: row.fields.clone(),
                page: row.page.clone(),
            },
        )];
        if let Some(Filtered { text, masked, .. }) = text {
            bodies.push((from, EventBody::Message { text, masked, file: None }));
        }
        let cause = if row.offline { QueueCause::LeftMessage } else { QueueCause::Opened };
        bodies.push((Party::System, EventBody::Queued { cause }));
        let name = |(i, (from, body))| {
            let key = if i == main { Some(key.clone()) } else { format!("c1-{i}").parse().ok() };
            Some(NewEvent { conversation: row.id, from, key: key?, body })
        };
        let events = bodies.into_iter().enumerate().filter_map(name).collect();
        let guard = self.known.change(row.id).await;
        match self.commit(Step { from: None, next: row, events, decision: None, guard }).await {
            Ok(receipts) => {
                let receipt = receipts.get(main).copied().ok_or_else(unavailable)?;
                Ok(Sent { receipt, text: kept, rules })
            }
            Err(Denied::Refused(refusal)) => Err(refusal),
            Err(_) => Err(unavailable()),
        }
    }
}

/// The skill an answer asks for; refuses what the field does not allow.
fn chosen(field: &FormField, answer: &str) -> Result<Option<String>, Refusal> {
    match field.kind.as_str() {
        "select" => {
            let option = field.options.iter().find(|option| option.value == answer);
            let option = option.ok_or_else(|| invalid(&format!("{} is a choice", field.name)))?;
            Ok(option.skill.clone())
        }
        "email" if !answer.contains('@') => {
            Err(invalid(&format!("{} is an e-mail address", field.name)))
        }
        _ => Ok(None),
    }
}

fn invalid(rule: &str) -> Refusal {
    Refusal::Invalid { field: "fields", rule: rule.into() }
}

/// A language tag as browsers give it.
fn is_language(tag: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=35).contains(&tag.len()) && tag.bytes().all(fits)
}

/// At most `limit` bytes, cut between characters.
fn shortened(mut text: String, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Draws until it is an id: 0 is none, and is never drawn twice.
fn fresh<T>(draw: impl Fn() -> Option<T>) -> T {
    loop {
        if let Some(id) = draw() {
            return id;
        }
    }
}
