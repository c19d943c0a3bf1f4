//! The inspection point: domain records to WIT and back, with every answer checked.

use super::bindings::inspection as wit;
use crate::domain::inspection::{Finding, Item, Scorecard, Severity};
use crate::domain::plugin::{InspectionInput, Line, Speaker};

const MOST_ITEMS: usize = 32;
const MOST_FINDINGS: usize = 500;
const MOST_FACTS: usize = 16;
const LONGEST_WORD: usize = 256;

pub(super) fn given(input: &InspectionInput) -> wit::Input {
    wit::Input {
        now: input.now,
        seed: input.seed,
        conversation: input.conversation.get(),
        site: input.site.get(),
        lines: input.lines.iter().map(line).collect(),
        attrs: input
            .attrs
            .iter()
            .map(|(name, value)| wit::Attr { name: name.clone(), value: value.clone() })
            .collect(),
    }
}

fn line(one: &Line) -> wit::Line {
    wit::Line {
        seq: one.seq,
        at: one.at,
        by: match one.by {
            Speaker::Visitor => wit::Speaker::Visitor,
            Speaker::Agent => wit::Speaker::Agent,
            Speaker::System => wit::Speaker::System,
        },
        kind: one.kind.clone(),
        text: one.text.clone(),
    }
}

/// The answer, or what is wrong with it.
pub(super) fn checked(lines: &[Line], got: wit::Scorecard) -> Result<Scorecard, String> {
    if got.items.len() > MOST_ITEMS || got.findings.len() > MOST_FINDINGS {
        return Err(format!("at most {MOST_ITEMS} items and {MOST_FINDINGS} findings"));
    }
    let sum: u32 = got.items.iter().map(|item| u32::from(item.points)).sum();
    if got.score > 100 || sum != u32::from(got.score) {
        return Err(format!("score {} is not the sum {sum} of its items", got.score));
    }
    if got.items.iter().any(|item| item.points > item.max || item.rule.len() > LONGEST_WORD) {
        return Err("an item has more points than possible, or too long a name".into());
    }
    let mut findings = Vec::with_capacity(got.findings.len());
    for finding in got.findings {
        let span = finding.span.map(|span| (span.start, span.end));
        check_place(lines, finding.seq, span)?;
        let long = |word: &str| word.len() > LONGEST_WORD;
        if finding.facts.len() > MOST_FACTS
            || long(&finding.rule)
            || finding.facts.iter().any(|fact| long(&fact.name) || long(&fact.value))
        {
            return Err("a finding is too large".into());
        }
        findings.push(Finding {
            rule: finding.rule,
            severity: match finding.severity {
                wit::Severity::Info => Severity::Info,
                wit::Severity::Warn => Severity::Warn,
                wit::Severity::Fail => Severity::Fail,
            },
            seq: finding.seq,
            span,
            facts: finding.facts.into_iter().map(|fact| (fact.name, fact.value)).collect(),
        });
    }
    let items = got
        .items
        .into_iter()
        .map(|item| Item { rule: item.rule, points: item.points, max: item.max })
        .collect();
    Ok(Scorecard { score: got.score, items, findings })
}

fn check_place(lines: &[Line], seq: Option<u64>, span: Option<(u32, u32)>) -> Result<(), String> {
    let Some(seq) = seq else {
        return if span.is_none() { Ok(()) } else { Err("a span without a line".into()) };
    };
    let line = lines
        .iter()
        .find(|line| line.seq == seq)
        .ok_or_else(|| format!("there is no line {seq}"))?;
    let Some((start, end)) = span else { return Ok(()) };
    match line.text.get(start as usize..end as usize) {
        Some(part) if !part.is_empty() => Ok(()),
        _ => Err(format!("span {start}..{end} does not fit line {seq}")),
    }
}

#[cfg(test)]
mod tests;
