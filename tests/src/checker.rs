//! The checker: holds what clients were promised and told against what the stream holds.
//!
//! It proves, for every conversation in the logs: each acked draft is there once with the same content; nothing is
//! there that nobody drafted; `seq` is 1, 2, 3 …; each sender's drafts are in the order of drafting; every client's
//! view is strictly increasing, complete between its first and last event (visitors: but for notes), and shows each
//! event as it is kept; only what the filter blocks was refused as blocked. It knows only logs and rows, not the code
//! that made them, but for the shipped message filter: what it makes of a draft is worked out here by its own code, so
//! that a server that spoils a text in ack, stream and view alike is found out, and so is one that blocks at will.
//! Every server of this harness has that filter with its default config.
//!
//! In a cluster events are kept in several places: `read` reads each of them, and `tiers` holds them against each other.

mod read;
mod tiers;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kefu_plugin_sdk::Filter as _;
use kefu_plugin_sdk::filter::{Action, Input};
use message_filter::MessageFilter;
use serde_json::Value;

use crate::log::{Ack, Draft, Log, Who};
pub use read::{Heads, Record, heads, read_heads, read_redis, read_sql, read_stream, read_topic};
pub use tiers::{Tiers, check_tiers};

/// An event as the stream keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its number.
    pub seq: u64,
    /// When it became durable.
    pub at: u64,
    /// Who did it.
    pub from: Who,
    /// Its key; empty where it is not told.
    pub key: String,
    /// The body as JSON.
    pub body: Value,
}

/// The stream by conversation.
pub type Stream = BTreeMap<String, Vec<Kept>>;

/// What is wrong; all zero and empty when nothing is.
#[derive(Debug, Default, Clone)]
pub struct Findings {
    /// Acked drafts examined.
    pub acked: usize,
    /// Events in the views examined.
    pub heard: usize,
    /// Acked but not in the stream, or in the stream but missing in a view.
    pub lost: usize,
    /// In the stream or a view twice.
    pub doubled: usize,
    /// Not in the order of sending, or a hole in `seq`.
    pub reordered: usize,
    /// There, but with other content, or nobody drafted it.
    pub differing: usize,
    /// Records of the topic that came again, as they may.
    pub again: usize,
    /// The first 50 findings in words.
    pub words: Vec<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.differing == 0
    }

    fn note(&mut self, words: String) {
        if self.words.len() < 50 {
            self.words.push(words);
        }
    }

    fn lost(&mut self, words: String) {
        self.lost += 1;
        self.note(format!("lost: {words}"));
    }

    fn doubled(&mut self, words: String) {
        self.doubled += 1;
        self.note(format!("doubled: {words}"));
    }

    fn reordered(&mut self, words: String) {
        self.reordered += 1;
        self.note(format!("reordered: {words}"));
    }

    fn differs(&mut self, words: String) {
        self.differing += 1;
        self.note(format!("differs: {words}"));
    }
}

/// What the filter lets through of a text; `None`: it would not be sent.
struct Rules(MessageFilter);

impl Rules {
    fn kept(&self, text: &str) -> Option<String> {
        if text.is_empty() {
            return Some(String::new());
        }
        let text = text.to_owned();
        let input = Input { now: 0, seed: 0, site: 1, from_visitor: true, text, attrs: Vec::new() };
        let verdict = self.0.judge(&input).ok().flatten()?;
        match verdict.action {
            Action::Allow => Some(input.text),
            Action::Mask => verdict.text,
            Action::Block => None,
        }
    }
}

/// Checks all logs against the stream.
#[must_use]
pub fn check(logs: &[Log], stream: &Stream) -> Findings {
    let mut findings = Findings::default();
    let rules = match MessageFilter::configure(message_filter::Config::default()) {
        Ok(filter) => Rules(filter),
        Err(why) => {
            findings.differs(format!("the filter takes no default config: {why}"));
            return findings;
        }
    };
    for log in logs {
        for broken in &log.broken_promises {
            findings.differs(broken.clone());
        }
        promises(log, stream, &rules, &mut findings);
        refusals(log, &rules, &mut findings);
        view(log, stream, &mut findings);
    }
    let drafted = drafted(logs, &rules);
    let seen: BTreeSet<&String> = logs.iter().flat_map(|log| log.views.keys()).collect();
    for (conversation, kept) in stream {
        dense(conversation, kept, &mut findings);
        if seen.contains(conversation) {
            phantoms(conversation, kept, &drafted, &mut findings);
        }
    }
    findings
}

/// Every ack has its event, once, in order, with the content promised.
fn promises(log: &Log, stream: &Stream, rules: &Rules, findings: &mut Findings) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for draft in &log.drafts {
        let Some(ack) = log.acks.get(&draft.key) else { continue };
        findings.acked += 1;
        let name = format!("{} {} of {:?} in {}", draft.kind, draft.key, log.who, ack.conversation);
        let kept = stream.get(&ack.conversation).map(Vec::as_slice).unwrap_or_default();
        let Some(event) = kept.iter().find(|event| event.seq == ack.seq) else {
            findings.lost(format!("{name}: nothing at seq {}", ack.seq));
            continue;
        };
        if draft.kind == "send" {
            let same = |event: &&Kept| event.key == draft.key && event.from == log.who;
            match kept.iter().filter(same).count() {
                0 => findings.lost(format!("{name}: its key is nowhere")),
                1 => {}
                n => findings.doubled(format!("{name}: {n} times")),
            }
            content(&name, (draft, ack), event, rules, findings);
            if let Some(before) = last.insert(&ack.conversation, ack.seq)
                && before >= ack.seq
            {
                findings.reordered(format!("{name}: seq {} after {before}", ack.seq));
            }
        }
    }
}

/// What was refused as blocked is what the filter blocks: a server that says so of anything else loses it.
fn refusals(log: &Log, rules: &Rules, findings: &mut Findings) {
    let blocked =
        |draft: &&Draft| log.refused.get(&draft.key).is_some_and(|code| code == "blocked");
    for draft in log.drafts.iter().filter(blocked) {
        let text = draft.text.as_deref().unwrap_or_default();
        if rules.kept(text).is_some() {
            let name = format!("{} {} of {:?}", draft.kind, draft.key, log.who);
            let words = format!("{name}: {text:?} was refused as blocked");
            findings.lost(format!("{words}, and the filter lets it through"));
        }
    }
}

/// What is kept of a draft, and what its ack says of it, is what the filter makes of it.
fn content(
    name: &str,
    (draft, ack): (&Draft, &Ack),
    event: &Kept,
    rules: &Rules,
    findings: &mut Findings,
) {
    let Some(text) = &draft.text else {
        return;
    };
    // What agents note for each other is not filtered.
    let note = event.body["type"] == "note";
    let wanted = if note { Some(text.clone()) } else { rules.kept(text) };
    let Some(wanted) = wanted else {
        findings.differs(format!("{name}: {text:?} was acked, and the filter blocks it"));
        return;
    };
    if event.body["text"].as_str() != Some(&wanted) {
        findings.differs(format!("{name}: {wanted:?} is kept as {}", event.body));
    }
    if let Some(told) = ack.text.as_ref().filter(|told| **told != wanted) {
        findings.differs(format!("{name}: {wanted:?} is acked as {told:?}"));
    }
}

/// A view increases, misses nothing and shows what is kept.
fn view(log: &Log, stream: &Stream, findings: &mut Findings) {
    for (conversation, heard) in &log.views {
        let kept = stream.get(conversation).map(Vec::as_slice).unwrap_or_default();
        let mut last = 0;
        let mut seen = BTreeSet::new();
        for event in heard {
            findings.heard += 1;
            let seq = event["seq"].as_u64().unwrap_or_default();
            let name = format!("seq {seq} of {conversation} as {:?} heard it", log.who);
            if !seen.insert(seq) {
                findings.doubled(name.clone());
            } else if seq <= last {
                findings.reordered(format!("{name}: after {last}"));
            }
            last = last.max(seq);
            match kept.iter().find(|kept| kept.seq == seq) {
                None => findings.differs(format!("{name}: not in the stream")),
                Some(kept) if !same(kept, event) => {
                    findings.differs(format!("{name}: {event}, kept {:?}", kept.body));
                }
                Some(_) => {}
            }
        }
        let first = seen.first().copied().unwrap_or_default();
        for kept in kept.iter().filter(|kept| (first..=last).contains(&kept.seq)) {
            let hidden = log.who.0 == "visitor" && kept.body["type"] == "note";
            if !hidden && !seen.contains(&kept.seq) {
                let words = format!("seq {} of {conversation} never reached", kept.seq);
                findings.lost(format!("{words} {:?}", log.who));
            }
        }
    }
}

fn same(kept: &Kept, event: &Value) -> bool {
    let from = &event["from"];
    let system = kept.from.0 == "system";
    kept.body["type"] == event["type"]
        && kept.body["text"] == event["text"]
        && from["kind"] == kept.from.0.as_str()
        && (system || from["id"] == kept.from.1.as_str())
}

fn dense(conversation: &str, kept: &[Kept], findings: &mut Findings) {
    let mut last = 0;
    for event in kept {
        let name = format!("seq {} of {conversation}", event.seq);
        if event.seq == last {
            findings.doubled(name);
        } else if event.seq != last + 1 {
            findings.reordered(format!("{name}: after {last}"));
        }
        last = event.seq;
    }
}

type Drafted<'a> = HashMap<(&'a Who, String), Vec<&'a Draft>>;

/// Drafts by what the filter lets through of them.
fn drafted<'a>(logs: &'a [Log], rules: &Rules) -> Drafted<'a> {
    let mut all = Drafted::new();
    for log in logs {
        for draft in &log.drafts {
            let text = draft.text.as_deref().unwrap_or_default();
            let Some(text) = rules.kept(text) else { continue };
            all.entry((&log.who, text)).or_default().push(draft);
        }
    }
    all
}

/// What is kept was drafted, and no more often than it was drafted.
fn phantoms(conversation: &str, kept: &[Kept], drafted: &Drafted<'_>, findings: &mut Findings) {
    let mut times: HashMap<(&Who, String), usize> = HashMap::new();
    for event in kept.iter().filter(|event| event.body["type"] == "message") {
        let text = event.body["text"].as_str().unwrap_or_default();
        let key = (&event.from, text.to_owned());
        let drafts = drafted.get(&key).map(Vec::as_slice).unwrap_or_default();
        let here =
            drafts.iter().filter(|d| d.conversation == conversation || d.conversation.is_empty());
        let most = here.count();
        let count = times.entry(key).or_default();
        *count += 1;
        let name = format!("seq {} of {conversation} ({text:?})", event.seq);
        if most == 0 {
            findings.differs(format!("{name}: nobody drafted it"));
        } else if *count > most {
            findings.doubled(format!("{name}: drafted {most} times, kept {count} times"));
        }
    }
}

#[cfg(test)]
mod tests;
