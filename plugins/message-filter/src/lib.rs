//! The shipped message filter: sensitive words and personal data, in Chinese and English.
//!
//! The text is folded first (full-width to ASCII, lower case, zero-width characters dropped), each folded character
//! remembering the bytes it came from; words and numbers are sought in the folded text, and what is found is masked
//! or reported at the original bytes.

mod data;
mod fold;

use kefu_plugin_sdk::Filter;
use kefu_plugin_sdk::filter::{Action, Hit, Input, Verdict};
use serde::Deserialize;

use fold::Folded;

/// Hits reported at most; all are masked.
const MOST_HITS: usize = 200;

/// The operator's document: `config.schema.json` beside this crate describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Word lists.
    pub lists: Vec<List>,
    /// Kinds of personal data to mask.
    pub mask: Vec<Kind>,
}

/// One word list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// What to do with its words.
    pub action: ListAction,
    /// The words.
    pub words: Vec<String>,
}

/// What to do with a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListAction {
    /// The message is not sent.
    Block,
    /// The word becomes asterisks.
    Mask,
}

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 手机号.
    Phone,
    /// 身份证, with its check digit.
    IdCard,
    /// Bank cards, by Luhn.
    BankCard,
    /// E-mail addresses.
    Email,
}

impl Default for Config {
    fn default() -> Self {
        let mask = vec![Kind::Phone, Kind::IdCard, Kind::BankCard, Kind::Email];
        Self { lists: Vec::new(), mask }
    }
}

/// The filter.
#[derive(Debug)]
pub struct MessageFilter {
    words: Vec<(Vec<char>, ListAction)>,
    mask: Vec<Kind>,
}

/// A finding in folded characters, end excluded.
struct Found {
    rule: &'static str,
    from: usize,
    to: usize,
    block: bool,
}

impl Filter for MessageFilter {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        let mut words = Vec::new();
        for list in config.lists {
            for word in list.words {
                let folded = Folded::new(&word).chars;
                if folded.iter().all(|c| c.is_whitespace()) {
                    return Err(format!("words: {word:?} is empty"));
                }
                words.push((folded, list.action));
            }
        }
        if words.len() > 10_000 {
            return Err("words: at most 10000".into());
        }
        words.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self { words, mask: config.mask })
    }

    fn judge(&self, input: &Input) -> Result<Option<Verdict>, String> {
        let folded = Folded::new(&input.text);
        let mut found = self.words_in(&folded.chars);
        for kind in &self.mask {
            data::find(*kind, &folded.chars, &mut found);
        }
        found.sort_by_key(|one| (one.from, one.to));
        let hits = found.iter().take(MOST_HITS).map(|one| {
            let (start, end) = folded.bytes(one.from, one.to);
            Hit { rule: one.rule.into(), start: start as u32, end: end as u32 }
        });
        let hits: Vec<Hit> = hits.collect();
        let (action, text) = if found.iter().any(|one| one.block) {
            (Action::Block, None)
        } else if found.is_empty() {
            (Action::Allow, None)
        } else {
            (Action::Mask, Some(masked(&input.text, &folded, &found)))
        };
        Ok(Some(Verdict { action, text, hits }))
    }
}

impl MessageFilter {
    /// Words are sorted, so those that may begin at a place stand together.
    fn words_in(&self, text: &[char]) -> Vec<Found> {
        let mut found = Vec::new();
        for from in 0..text.len() {
            let first = self.words.partition_point(|(word, _)| word[0] < text[from]);
            let same = self.words[first..].iter().take_while(|(word, _)| word[0] == text[from]);
            for (word, action) in same {
                let to = from + word.len();
                if text[from..].starts_with(word) && !inside_latin_word(text, from, to) {
                    let block = *action == ListAction::Block;
                    found.push(Found { rule: "word", from, to, block });
                }
            }
        }
        found
    }
}

/// "ass" must not match in "class"; Chinese has no such borders.
fn inside_latin_word(text: &[char], from: usize, to: usize) -> bool {
    let latin = |at: Option<&char>| at.is_some_and(char::is_ascii_alphanumeric);
    let before = from.checked_sub(1).and_then(|at| text.get(at));
    (latin(text.get(from)) && latin(before)) || (latin(text.get(to - 1)) && latin(text.get(to)))
}

/// One asterisk per folded character; what hides between (zero-width) goes.
fn masked(text: &str, folded: &Folded, found: &[Found]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for one in found {
        let (start, end) = folded.bytes(one.from, one.to);
        if end <= done {
            continue;
        }
        if start > done {
            out.push_str(&text[done..start]);
        }
        let stars = (one.from..one.to).filter(|&at| folded.bytes(at, at + 1).0 >= done).count();
        out.extend(std::iter::repeat_n('*', stars));
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

kefu_plugin_sdk::export_filter!(MessageFilter);

#[cfg(test)]
mod tests;
