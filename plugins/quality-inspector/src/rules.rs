//! One function per item of the card; the questions have a file of their own.

use kefu_plugin_sdk::inspection::{Attr, Finding, Severity, Span};

use crate::talk::{Said, Talk};
use crate::{Judged, Settings, Word};

const FULL: u32 = 1000;

/// One of the agent's first two lines greets.
pub(crate) fn greeting(settings: &Settings, talk: &Talk) -> Judged {
    if talk.by_agent().take(2).any(|said| holds_any(said, &settings.greetings)) {
        return full();
    }
    let seq = talk.by_agent().next().map(|said| said.seq);
    none(finding("greeting", Severity::Warn, seq, vec![]))
}

/// From the visitor's first line, or the assignment after it, to the agent's first line; falls to 0 at three times the
/// limit. An agent who speaks first has answered.
pub(crate) fn first_response(settings: &Settings, talk: &Talk) -> Judged {
    let asked = talk.by_visitor().next();
    let Some(first) = talk.by_agent().next() else {
        let seq = asked.map(|said| said.seq);
        return none(finding("first_response", Severity::Fail, seq, vec![]));
    };
    let took = asked.map_or(0, |asked| talk.waited(asked.at, first.at));
    timed("first_response", took, settings.first_response_ms, first.seq)
}

/// Each later answer on its own; the item is their mean.
pub(crate) fn gaps(settings: &Settings, talk: &Talk) -> Judged {
    let mut judged = Judged { share: 0, findings: vec![] };
    let (mut count, mut waiting, mut answered) = (0, None, false);
    for said in &talk.said {
        if !said.by_agent {
            waiting = waiting.or(Some(said.at));
            continue;
        }
        if let (Some(since), true) = (waiting, answered) {
            let took = talk.waited(since, said.at);
            let one = timed("gaps", took, settings.gap_ms, said.seq);
            judged.share += one.share;
            judged.findings.extend(one.findings);
            count += 1;
        }
        (waiting, answered) = (None, true);
    }
    judged.share = judged.share.checked_div(count).unwrap_or(FULL);
    judged
}

/// One of the agent's last two lines takes leave — unless the visitor left first.
pub(crate) fn closing(settings: &Settings, talk: &Talk) -> Judged {
    let last = talk.said.last().map_or(0, |said| said.at);
    if talk.left_within(last, settings.gap_ms)
        || talk.by_agent().rev().take(2).any(|said| holds_any(said, &settings.closings))
    {
        return full();
    }
    let seq = talk.by_agent().next_back().map(|said| said.seq);
    none(finding("closing", Severity::Info, seq, vec![]))
}

/// Any forbidden word costs all points.
pub(crate) fn forbidden(settings: &Settings, talk: &Talk) -> Judged {
    let mut judged = full();
    for said in talk.by_agent() {
        for word in &settings.forbidden {
            let Some((first, last)) = said.text.find(&word.folded) else { continue };
            let facts = vec![fact("word", &word.given)];
            let mut found = finding("forbidden_words", Severity::Fail, Some(said.seq), facts);
            found.span = Some(Span { start: said.text.start(first), end: said.text.end(last) });
            judged.findings.push(found);
            judged.share = 0;
        }
    }
    judged
}

fn timed(rule: &str, took: u64, limit: u64, seq: u64) -> Judged {
    if took <= limit {
        return full();
    }
    let over = (took - limit).saturating_mul(u64::from(FULL)) / limit.saturating_mul(2).max(1);
    let share = FULL.saturating_sub(u32::try_from(over).unwrap_or(FULL));
    let severity = if share == 0 { Severity::Fail } else { Severity::Warn };
    let facts = vec![fact("gap_ms", &took.to_string()), fact("limit_ms", &limit.to_string())];
    Judged { share, findings: vec![finding(rule, severity, Some(seq), facts)] }
}

fn holds_any(said: &Said, words: &[Word]) -> bool {
    words.iter().any(|word| said.text.find(&word.folded).is_some())
}

fn full() -> Judged {
    Judged { share: FULL, findings: vec![] }
}

fn none(found: Finding) -> Judged {
    Judged { share: 0, findings: vec![found] }
}

pub(crate) fn finding(
    rule: &str,
    severity: Severity,
    seq: Option<u64>,
    facts: Vec<Attr>,
) -> Finding {
    Finding { rule: rule.into(), severity, seq, span: None, facts }
}

pub(crate) fn fact(name: &str, value: &str) -> Attr {
    Attr { name: name.into(), value: value.into() }
}
