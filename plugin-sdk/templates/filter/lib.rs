//! What may be said: no message with one of the operator's words in it.

use kefu_plugin_sdk::Filter;
use kefu_plugin_sdk::filter::{Action, Hit, Input, Verdict};
use serde::Deserialize;

/// What the operator sets; every server holds it against `config.schema.json` first.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// None of these may be said.
    pub words: Vec<String>,
}

pub struct Words(Vec<String>);

impl Filter for Words {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config.words))
    }

    fn judge(&self, input: &Input) -> Result<Option<Verdict>, String> {
        let found = self.0.iter().filter_map(|word| {
            let start = input.text.find(word.as_str())?;
            let (start, end) = (start as u32, (start + word.len()) as u32);
            Some(Hit { rule: "word".into(), start, end })
        });
        let hits: Vec<Hit> = found.collect();
        let action = if hits.is_empty() { Action::Allow } else { Action::Block };
        Ok(Some(Verdict { action, text: None, hits }))
    }
}

kefu_plugin_sdk::export_filter!(Words, schema: "../config.schema.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_is() {
        let says = |text: &str| Input {
            now: 0,
            seed: 0,
            site: 1,
            from_visitor: true,
            text: text.into(),
            attrs: vec![],
        };
        let words = Words::configure(Config { words: vec!["暗号".into()] }).unwrap();
        let bad = words.judge(&says("说暗号吧")).unwrap().unwrap();
        assert_eq!(bad.action, Action::Block);
        assert_eq!((bad.hits[0].start, bad.hits[0].end), (3, 9));
        let good = words.judge(&says("说话吧")).unwrap().unwrap();
        assert_eq!(good.action, Action::Allow);
    }
}
