//! How well it was said: was the visitor answered, and in time?

use kefu_plugin_sdk::Inspection;
use kefu_plugin_sdk::inspection::{Finding, Input, Item, Line, Scorecard, Severity, Speaker};
use serde::Deserialize;

/// What the operator sets; every server holds it against `config.schema.json` first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The first answer is in time within so many ms.
    pub first_answer_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { first_answer_ms: 60_000 }
    }
}

pub struct FirstAnswer(Config);

impl Inspection for FirstAnswer {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn inspect(&self, input: &Input) -> Result<Option<Scorecard>, String> {
        let said = |by: Speaker| move |line: &&Line| line.by == by && line.kind == "message";
        let Some(asked) = input.lines.iter().find(said(Speaker::Visitor)) else { return Ok(None) };
        let answer = input.lines.iter().filter(|line| line.seq > asked.seq);
        let waited = answer.clone().find(said(Speaker::Agent)).map(|line| line.at.saturating_sub(asked.at));
        let (points, severity) = match waited {
            Some(waited) if waited <= self.0.first_answer_ms => (100, None),
            Some(_) => (50, Some(Severity::Warn)),
            None => (0, Some(Severity::Fail)),
        };
        let rule = || "first_answer".to_owned();
        let finding = |severity| Finding {
            rule: rule(),
            severity,
            seq: Some(asked.seq),
            span: None,
            facts: vec![],
        };
        Ok(Some(Scorecard {
            score: points,
            items: vec![Item { rule: rule(), points, max: 100 }],
            findings: severity.map(finding).into_iter().collect(),
        }))
    }
}

kefu_plugin_sdk::export_inspection!(FirstAnswer, schema: "../config.schema.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_too_long_is_found() {
        let line = |seq, at, by| Line { seq, at, by, kind: "message".into(), text: "hi".into() };
        let input = Input {
            now: 0,
            seed: 0,
            conversation: 1,
            site: 1,
            lines: vec![line(1, 0, Speaker::Visitor), line(2, 5_000, Speaker::Agent)],
            attrs: vec![],
        };
        let card = |first_answer_ms| {
            let one = FirstAnswer::configure(Config { first_answer_ms }).unwrap();
            one.inspect(&input).unwrap().unwrap()
        };
        assert_eq!(card(5_000).score, 100);
        assert_eq!((card(4_999).score, card(4_999).findings[0].seq), (50, Some(1)));
    }
}
