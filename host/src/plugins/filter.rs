//! The filter point: domain records to WIT and back, with every answer checked.

use super::bindings::filter as wit;
use crate::domain::plugin::{Action, FilterInput, Hit, Verdict};

const MOST_HITS: usize = 256;
const LONGEST_RULE: usize = 64;

pub(super) fn given(input: &FilterInput) -> wit::Input {
    wit::Input {
        now: input.now,
        seed: input.seed,
        site: input.site.get(),
        from_visitor: input.from_visitor,
        text: input.text.clone(),
        attrs: input
            .attrs
            .iter()
            .map(|(name, value)| wit::Attr { name: name.clone(), value: value.clone() })
            .collect(),
    }
}

/// The answer, or what is wrong with it.
pub(super) fn checked(text: &str, got: wit::Verdict) -> Result<Verdict, String> {
    let action = match got.action {
        wit::Action::Allow => Action::Allow,
        wit::Action::Mask => Action::Mask,
        wit::Action::Block => Action::Block,
    };
    if got.text.is_some() != (action == Action::Mask) {
        return Err("a text comes exactly with the action mask".into());
    }
    if got.text.as_ref().is_some_and(|new| new.len() > text.len() * 4 + 64) {
        return Err("the masked text is more than four times as long".into());
    }
    if got.text.as_ref().is_some_and(|new| new.trim().is_empty()) {
        return Err("the masked text is empty".into());
    }
    if got.hits.len() > MOST_HITS {
        return Err(format!("{} hits, at most {MOST_HITS}", got.hits.len()));
    }
    let mut hits = Vec::with_capacity(got.hits.len());
    for hit in got.hits {
        if hit.rule.len() > LONGEST_RULE {
            return Err(format!("a rule's name is longer than {LONGEST_RULE} bytes"));
        }
        if text.get(hit.start as usize..hit.end as usize).is_none_or(str::is_empty) {
            return Err(format!("span {}..{} does not fit the text", hit.start, hit.end));
        }
        hits.push(Hit { rule: hit.rule, start: hit.start, end: hit.end });
    }
    Ok(Verdict { action, text: got.text, hits })
}

#[cfg(test)]
mod tests;
