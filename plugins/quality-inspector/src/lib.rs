//! The shipped inspector: rules and a scorecard.
//!
//! Six items share 100 points: greeting, first response, gaps, closing, forbidden words, unanswered questions. The
//! score is the sum of the items; each finding points to the line it is about. An agent who said nothing gets no points
//! at all, unless the visitor left before anybody could have answered: then there is nothing to judge. Rules read the
//! form, not the meaning: an answer may still be wrong.

mod defaults;
mod questions;
mod rules;
mod talk;

use kefu_plugin_sdk::Inspection;
use kefu_plugin_sdk::inspection::{Finding, Input, Item, Scorecard};
use serde::Deserialize;

use talk::Talk;

/// Findings reported at most; all of them count.
const MOST_FINDINGS: usize = 200;

/// The operator's document: `config.schema.json` beside this crate describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The first answer should come within, ms from the visitor's first line or the assignment after it.
    pub first_response_ms: u64,
    /// Later answers should come within, ms.
    pub gap_ms: u64,
    /// One of these should be in the agent's first two lines.
    pub greetings: Vec<String>,
    /// One of these should be in the agent's last two lines.
    pub closings: Vec<String>,
    /// These ask for patience: a line of nothing else answers no question.
    pub holding: Vec<String>,
    /// None of these may be said by an agent.
    pub forbidden: Vec<String>,
    /// Points of each item.
    pub points: Points,
}

/// Points of each item; 100 in all.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Points {
    /// The agent greets.
    pub greeting: u8,
    /// The first answer is quick.
    pub first_response: u8,
    /// Later answers are quick.
    pub gaps: u8,
    /// The agent takes leave.
    pub closing: u8,
    /// No forbidden words.
    pub forbidden_words: u8,
    /// Every question has an answer.
    pub unanswered: u8,
}

impl Default for Points {
    fn default() -> Self {
        Self {
            greeting: 10,
            first_response: 20,
            gaps: 20,
            closing: 10,
            forbidden_words: 20,
            unanswered: 20,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        Self {
            first_response_ms: 30_000,
            gap_ms: 60_000,
            greetings: words(&defaults::GREETINGS),
            closings: words(&defaults::CLOSINGS),
            holding: words(&defaults::HOLDING),
            forbidden: words(&defaults::FORBIDDEN),
            points: Points::default(),
        }
    }
}

/// The inspector.
#[derive(Debug)]
pub struct QualityInspector {
    settings: Settings,
}

/// The config with its words folded once.
#[derive(Debug)]
pub(crate) struct Settings {
    first_response_ms: u64,
    gap_ms: u64,
    greetings: Vec<Word>,
    closings: Vec<Word>,
    holding: Vec<Word>,
    forbidden: Vec<Word>,
    pings: Vec<Word>,
    points: Points,
}

/// A word as the operator wrote it, and as texts are searched for it.
#[derive(Debug)]
pub(crate) struct Word {
    given: String,
    folded: Vec<char>,
}

/// One rule's verdict: thousandths of its points, and what it found.
pub(crate) struct Judged {
    pub(crate) share: u32,
    pub(crate) findings: Vec<Finding>,
}

impl Inspection for QualityInspector {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        let p = config.points;
        let all =
            [p.greeting, p.first_response, p.gaps, p.closing, p.forbidden_words, p.unanswered];
        let sum: u32 = all.into_iter().map(u32::from).sum();
        if sum != 100 {
            return Err(format!("points must be 100 in all, are {sum}"));
        }
        if config.first_response_ms == 0 || config.gap_ms == 0 {
            return Err("first_response_ms and gap_ms must be at least 1".into());
        }
        let settings = Settings {
            first_response_ms: config.first_response_ms,
            gap_ms: config.gap_ms,
            greetings: words("greetings", &config.greetings)?,
            closings: words("closings", &config.closings)?,
            holding: words("holding", &config.holding)?,
            forbidden: words("forbidden", &config.forbidden)?,
            pings: questions::PINGS.map(Word::new).into(),
            points: config.points,
        };
        Ok(Self { settings })
    }

    fn inspect(&self, input: &Input) -> Result<Option<Scorecard>, String> {
        let talk = Talk::new(&input.lines);
        let Some(first) = talk.said.first() else { return Ok(None) };
        let silent = talk.by_agent().next().is_none();
        if silent && talk.left_within(first.at, self.settings.first_response_ms) {
            return Ok(None);
        }
        let (settings, points) = (&self.settings, self.settings.points);
        let mut card = Scorecard { score: 0, items: Vec::new(), findings: Vec::new() };
        for (rule, max, judged) in [
            ("greeting", points.greeting, rules::greeting(settings, &talk)),
            ("first_response", points.first_response, rules::first_response(settings, &talk)),
            ("gaps", points.gaps, rules::gaps(settings, &talk)),
            ("closing", points.closing, rules::closing(settings, &talk)),
            ("forbidden_words", points.forbidden_words, rules::forbidden(settings, &talk)),
            ("unanswered", points.unanswered, questions::unanswered(settings, &talk)),
        ] {
            let share = if silent { 0 } else { judged.share.min(1000) };
            let got = (u32::from(max) * share / 1000) as u8;
            card.score += got;
            card.items.push(Item { rule: rule.into(), points: got, max });
            card.findings.extend(judged.findings);
        }
        card.findings.truncate(MOST_FINDINGS);
        Ok(Some(card))
    }
}

fn words(list: &str, given: &[String]) -> Result<Vec<Word>, String> {
    let word = |(index, text): (usize, &String)| {
        let word = Word::new(text);
        if word.folded.is_empty() { Err(format!("{list}[{index}]: is empty")) } else { Ok(word) }
    };
    given.iter().enumerate().map(word).collect()
}

kefu_plugin_sdk::export_inspection!(QualityInspector, schema: "../config.schema.json");

#[cfg(test)]
mod tests;
