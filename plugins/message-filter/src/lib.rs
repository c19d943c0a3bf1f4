//! The shipped message filter: word lists and personal data, Chinese and English.
//!
//! Text is compared folded: full-width forms become ASCII, case is dropped, zero-width characters vanish. Every hit
//! points back into the text as it was given. A word that begins or ends in an ASCII letter or digit only counts at the
//! edge of a word ("ass" is not in "class"). It does not judge meaning, and it does not read what people spell out.

mod personal;
mod words;

use kefu_plugin_sdk::Filter;
use kefu_plugin_sdk::filter::{Action, Hit, Input, Verdict};
use kefu_plugin_sdk::text::Folded;
use serde::Deserialize;

use words::Words;

/// Hits reported at most; everything found is acted on.
const MOST_HITS: usize = 200;

/// The operator's document: `config.schema.json` beside this crate describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A message with one of these is not sent.
    pub block: Vec<String>,
    /// These are starred out.
    pub mask: Vec<String>,
    /// Chinese mobile numbers.
    pub phone: Act,
    /// Chinese identity numbers with a right check digit.
    pub id_card: Act,
    /// Card numbers that pass Luhn's test.
    pub bank_card: Act,
    /// E-mail addresses.
    pub email: Act,
}

/// What to do about a kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Leave it.
    Allow,
    /// Star it out.
    Mask,
    /// Do not send the message.
    Block,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            block: Vec::new(),
            mask: Vec::new(),
            phone: Act::Mask,
            id_card: Act::Mask,
            bank_card: Act::Mask,
            email: Act::Mask,
        }
    }
}

/// The filter.
#[derive(Debug)]
pub struct MessageFilter {
    config: Config,
    words: Words,
}

/// Something found: which rule, where in the folded text, what to do, what to show instead.
struct Found {
    rule: &'static str,
    first: usize,
    last: usize,
    act: Act,
    keep: (usize, usize),
}

impl Filter for MessageFilter {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        let words = Words::new(&config.block, &config.mask)?;
        Ok(Self { config, words })
    }

    fn judge(&self, input: &Input) -> Result<Option<Verdict>, String> {
        let folded = Folded::new(&input.text);
        let mut found = self.words.find(&folded);
        found.extend(personal::find(&folded, &self.config));
        found.retain(|f| f.act != Act::Allow);
        found.sort_by_key(|f| (f.first, std::cmp::Reverse(f.last)));
        let hits = found.iter().take(MOST_HITS).map(|f| hit(f, &folded)).collect();
        let verdict = if found.is_empty() {
            Verdict { action: Action::Allow, text: None, hits }
        } else if found.iter().any(|f| f.act == Act::Block) {
            Verdict { action: Action::Block, text: None, hits }
        } else {
            Verdict {
                action: Action::Mask,
                text: Some(starred(&input.text, &folded, &found)),
                hits,
            }
        };
        Ok(Some(verdict))
    }
}

fn hit(found: &Found, folded: &Folded) -> Hit {
    Hit {
        rule: found.rule.to_owned(),
        start: folded.start(found.first),
        end: folded.end(found.last),
    }
}

/// Every found letter and digit becomes `*`, but for the first and last few that each rule keeps. Separators stay.
fn starred(text: &str, folded: &Folded, found: &[Found]) -> String {
    let mut hide = vec![false; folded.len()];
    for f in found {
        let marks: Vec<usize> =
            (f.first..=f.last).filter(|&at| f.rule == "word" || folded.is_mark(at)).collect();
        let until = marks.len().saturating_sub(f.keep.1);
        for &at in marks.get(f.keep.0.min(until)..until).unwrap_or_default() {
            hide[at] = true;
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in hide.iter().enumerate().filter(|(_, hidden)| **hidden) {
        out.push_str(text.get(copied..folded.start(at) as usize).unwrap_or_default());
        out.push('*');
        copied = folded.end(at) as usize;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

kefu_plugin_sdk::export_filter!(MessageFilter, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
