//! The shipped inspector: rules and a scorecard.
//!
//! Six items share 100 points: greeting, first response, gaps, closing, forbidden words, unanswered questions. The
//! score is the sum of the items; each finding points to the line it is about. Where nobody answered there is nothing
//! to judge but the silence.

mod rules;

use kefu_plugin_sdk::Inspection;
use kefu_plugin_sdk::inspection::{Finding, Input, Item, Line, Scorecard, Speaker};
use serde::Deserialize;

/// The operator's document: `config.schema.json` beside this crate describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The first answer should come within, ms from the assignment.
    pub first_response_ms: u64,
    /// Later answers should come within, ms.
    pub gap_ms: u64,
    /// One of these should be in the first answer.
    pub greetings: Vec<String>,
    /// One of these should be in the last two things said.
    pub closings: Vec<String>,
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
            greetings: words(&["您好", "你好", "欢迎", "hello", "hi", "welcome", "good"]),
            closings: words(&["再见", "祝您", "感谢", "谢谢", "bye", "thank", "have a"]),
            forbidden: words(&["不知道", "不归我管", "随便你", "not my problem", "shut up"]),
            points: Points::default(),
        }
    }
}

/// The inspector.
#[derive(Debug)]
pub struct QualityInspector {
    config: Config,
}

/// One rule's verdict: thousandths of its points, and what it found.
pub(crate) struct Judged {
    pub(crate) share: u32,
    pub(crate) findings: Vec<Finding>,
}

impl Inspection for QualityInspector {
    type Config = Config;

    fn configure(mut config: Config) -> Result<Self, String> {
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
        for list in [&mut config.greetings, &mut config.closings, &mut config.forbidden] {
            for word in list {
                *word = word.trim().to_lowercase();
                if word.is_empty() {
                    return Err("a word is empty".into());
                }
            }
        }
        Ok(Self { config })
    }

    fn inspect(&self, input: &Input) -> Result<Option<Scorecard>, String> {
        let said: Vec<&Line> = input
            .lines
            .iter()
            .filter(|line| line.kind == "message" && line.by != Speaker::System)
            .collect();
        if said.is_empty() {
            return Ok(None);
        }
        let (config, points) = (&self.config, self.config.points);
        let rules = [
            ("greeting", points.greeting, rules::greeting(config, &said)),
            (
                "first_response",
                points.first_response,
                rules::first_response(config, &input.lines, &said),
            ),
            ("gaps", points.gaps, rules::gaps(config, &said)),
            ("closing", points.closing, rules::closing(config, &said)),
            ("forbidden_words", points.forbidden_words, rules::forbidden(config, &said)),
            ("unanswered", points.unanswered, rules::unanswered(&said)),
        ];
        let mut card = Scorecard { score: 0, items: Vec::new(), findings: Vec::new() };
        for (rule, max, judged) in rules {
            let got = (u32::from(max) * judged.share.min(1000) / 1000) as u8;
            card.score += got;
            card.items.push(Item { rule: rule.into(), points: got, max });
            card.findings.extend(judged.findings);
        }
        card.findings.truncate(200);
        Ok(Some(card))
    }
}

kefu_plugin_sdk::export_inspection!(QualityInspector);

#[cfg(test)]
mod tests;
