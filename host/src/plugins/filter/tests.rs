//! Verdicts that the host does not believe.

use super::wit::exports::kefu::filter::filter::Hit;
use super::*;

const TEXT: &str = "打13800138000";

fn verdict(action: wit::Action, text: Option<&str>, hits: Vec<(&str, u32, u32)>) -> wit::Verdict {
    let hit = |(rule, start, end): (&str, u32, u32)| Hit { rule: rule.into(), start, end };
    wit::Verdict { action, text: text.map(Into::into), hits: hits.into_iter().map(hit).collect() }
}

#[test]
fn good_verdicts_pass() {
    let hit = || vec![("phone", 3, 14)];
    for (got, action) in [
        (verdict(wit::Action::Allow, None, vec![]), Action::Allow),
        (verdict(wit::Action::Mask, Some("打***"), hit()), Action::Mask),
        (verdict(wit::Action::Block, None, hit()), Action::Block),
    ] {
        assert_eq!(checked(TEXT, got).unwrap().action, action);
    }
}

#[test]
fn nonsense_is_a_fault_with_the_reason() {
    let long = "x".repeat(TEXT.len() * 4 + 65);
    let rule = "r".repeat(65);
    for (got, words) in [
        (verdict(wit::Action::Mask, None, vec![]), "exactly with the action mask"),
        (verdict(wit::Action::Allow, Some("打"), vec![]), "exactly with the action mask"),
        (verdict(wit::Action::Block, Some("打"), vec![]), "exactly with the action mask"),
        (verdict(wit::Action::Mask, Some(&long), vec![]), "four times as long"),
        (verdict(wit::Action::Mask, Some(""), vec![]), "empty"),
        (verdict(wit::Action::Mask, Some(" \n"), vec![]), "empty"),
        (verdict(wit::Action::Block, None, vec![("word", 0, 15)]), "span 0..15"),
        (verdict(wit::Action::Block, None, vec![("word", u32::MAX, u32::MAX)]), "span"),
        (verdict(wit::Action::Block, None, vec![("word", 1, 3)]), "span 1..3"),
        (verdict(wit::Action::Block, None, vec![("word", 0, 2)]), "span 0..2"),
        (verdict(wit::Action::Block, None, vec![("word", 5, 4)]), "span 5..4"),
        (verdict(wit::Action::Block, None, vec![("word", 3, 3)]), "span 3..3"),
        (verdict(wit::Action::Block, None, vec![("word", 0, 3); 257]), "257 hits"),
        (verdict(wit::Action::Block, None, vec![(&rule, 0, 3)]), "rule's name"),
    ] {
        let why = checked(TEXT, got).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}
