//! One function per item of the card.

use kefu_plugin_sdk::inspection::{Attr, Finding, Line, Severity, Span, Speaker};

use crate::{Config, Judged};

const FULL: u32 = 1000;

/// The agent's first line holds a greeting.
pub(crate) fn greeting(config: &Config, said: &[&Line]) -> Judged {
    match by_agent(said).next() {
        Some(first) if holds_any(&first.text, &config.greetings) => full(),
        Some(first) => none(finding("greeting", Severity::Warn, Some(first.seq), vec![])),
        None => none(finding("greeting", Severity::Warn, None, vec![])),
    }
}

/// From the later of first question and first assignment to the agent's first line; falls to 0 at three times the limit.
pub(crate) fn first_response(config: &Config, lines: &[Line], said: &[&Line]) -> Judged {
    let Some(first) = by_agent(said).next() else {
        return none(finding("first_response", Severity::Fail, None, vec![]));
    };
    let asked = said.iter().find(|line| line.by == Speaker::Visitor).map(|line| line.at);
    let assigned = lines.iter().find(|line| line.kind == "assigned").map(|line| line.at);
    let since = asked.max(assigned).unwrap_or(first.at);
    let took = first.at.saturating_sub(since);
    timed("first_response", took, config.first_response_ms, first.seq)
}

/// Each later answer on its own; the item is their mean.
pub(crate) fn gaps(config: &Config, said: &[&Line]) -> Judged {
    let mut judged = Judged { share: 0, findings: vec![] };
    let (mut count, mut waiting, mut answered) = (0, None, false);
    for line in said {
        if line.by == Speaker::Visitor {
            waiting = waiting.or(Some(line.at));
            continue;
        }
        if let (Some(since), true) = (waiting, answered) {
            let one = timed("gaps", line.at.saturating_sub(since), config.gap_ms, line.seq);
            judged.share += one.share;
            judged.findings.extend(one.findings);
            count += 1;
        }
        (waiting, answered) = (None, true);
    }
    judged.share = judged.share.checked_div(count).unwrap_or(FULL * u32::from(answered));
    judged
}

/// One of the agent's last two lines takes leave.
pub(crate) fn closing(config: &Config, said: &[&Line]) -> Judged {
    let mut last = by_agent(said).rev().take(2).peekable();
    let seq = last.peek().map(|line| line.seq);
    if last.any(|line| holds_any(&line.text, &config.closings)) {
        return full();
    }
    none(finding("closing", Severity::Info, seq, vec![]))
}

/// Any forbidden word costs all points.
pub(crate) fn forbidden(config: &Config, said: &[&Line]) -> Judged {
    let mut judged = full();
    for line in by_agent(said) {
        for word in &config.forbidden {
            let Some((start, end)) = place(&line.text, word) else { continue };
            let facts = vec![fact("word", word)];
            let mut found = finding("forbidden_words", Severity::Fail, Some(line.seq), facts);
            found.span = Some(Span { start, end });
            judged.findings.push(found);
            judged.share = 0;
        }
    }
    judged
}

/// The share of the visitor's questions after which an agent said something.
pub(crate) fn unanswered(said: &[&Line]) -> Judged {
    let last = by_agent(said).next_back().map_or(0, |line| line.seq);
    let asked = |line: &&&Line| line.by == Speaker::Visitor && is_question(&line.text);
    let questions = said.iter().filter(asked).count() as u32;
    let open = said.iter().filter(asked).filter(|line| line.seq > last);
    let findings: Vec<Finding> =
        open.map(|line| finding("unanswered", Severity::Warn, Some(line.seq), vec![])).collect();
    let open = findings.len() as u32;
    let share = FULL * (questions - open) / questions.max(1);
    Judged { share: if questions == 0 { FULL } else { share }, findings }
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

fn by_agent<'a>(said: &'a [&'a Line]) -> impl DoubleEndedIterator<Item = &'a Line> {
    said.iter().copied().filter(|line| line.by == Speaker::Agent)
}

fn is_question(text: &str) -> bool {
    const WORDS: [&str; 6] = ["吗", "怎么", "什么", "为什么", "多久", "哪里"];
    text.contains(['?', '\u{ff1f}']) || WORDS.iter().any(|word| text.contains(word))
}

/// Latin words match whole, so that "hi" is not in "this".
fn holds_any(text: &str, words: &[String]) -> bool {
    words.iter().any(|word| place(text, word).is_some())
}

/// Where a lower-case word stands, as bytes of the original text.
fn place(text: &str, word: &str) -> Option<(u32, u32)> {
    let latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let mut before = None;
    for (start, c) in text.char_indices() {
        if !(latin(before) && latin(Some(c)))
            && let Some(end) = ends(text, start, word)
            && !(latin(word.chars().next_back()) && latin(text[end..].chars().next()))
        {
            return Some((start as u32, end as u32));
        }
        before = Some(c);
    }
    None
}

fn ends(text: &str, start: usize, word: &str) -> Option<usize> {
    let mut left = word.chars();
    let mut wanted = left.next();
    for (at, c) in text[start..].char_indices() {
        for low in c.to_lowercase() {
            if wanted != Some(low) {
                return None;
            }
            wanted = left.next();
        }
        if wanted.is_none() {
            return Some(start + at + c.len_utf8());
        }
    }
    None
}

fn full() -> Judged {
    Judged { share: FULL, findings: vec![] }
}

fn none(found: Finding) -> Judged {
    Judged { share: 0, findings: vec![found] }
}

fn finding(rule: &str, severity: Severity, seq: Option<u64>, facts: Vec<Attr>) -> Finding {
    Finding { rule: rule.into(), severity, seq, span: None, facts }
}

fn fact(name: &str, value: &str) -> Attr {
    Attr { name: name.into(), value: value.into() }
}
