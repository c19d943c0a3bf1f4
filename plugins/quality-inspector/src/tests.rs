//! Whole conversations and their cards.

use super::*;

fn line(seq: u64, seconds: u64, by: Speaker, text: &str) -> Line {
    let kind = if by == Speaker::System { "assigned" } else { "message" };
    Line { seq, at: seconds * 1000, by, kind: kind.into(), text: text.into() }
}

fn inspect(lines: Vec<Line>) -> Option<Scorecard> {
    let inspector = QualityInspector::configure(Config::default()).unwrap();
    let input = Input { now: 0, seed: 0, conversation: 1, site: 1, lines, attrs: vec![] };
    let card = inspector.inspect(&input).unwrap()?;
    let sum: u8 = card.items.iter().map(|item| item.points).sum();
    assert_eq!(sum, card.score);
    Some(card)
}

#[test]
fn a_good_talk_has_all_points() {
    let card = inspect(vec![
        line(1, 0, Speaker::Visitor, "订单什么时候发货？"),
        line(2, 5, Speaker::System, ""),
        line(3, 20, Speaker::Agent, "您好，今天发货。"),
        line(4, 30, Speaker::Visitor, "好"),
        line(5, 50, Speaker::Agent, "感谢，再见"),
    ])
    .unwrap();
    assert_eq!((card.score, card.findings.len()), (100, 0));
}

#[test]
fn each_fault_costs_its_item_and_points_to_its_line() {
    let card = inspect(vec![
        line(1, 0, Speaker::Visitor, "This is broken"),
        line(2, 200, Speaker::Agent, "This is NOT my problem"),
        line(3, 210, Speaker::Visitor, "?"),
        line(4, 300, Speaker::Agent, "wait"),
        line(5, 310, Speaker::Visitor, "how long?"),
    ])
    .unwrap();
    let points: Vec<_> = card.items.iter().map(|item| item.points).collect();
    assert_eq!(points, [0, 0, 15, 0, 0, 10]);
    let found: Vec<_> = card.findings.iter().map(|one| (&*one.rule, one.seq)).collect();
    let expected = [
        ("greeting", Some(2)),
        ("first_response", Some(2)),
        ("gaps", Some(4)),
        ("closing", Some(4)),
        ("forbidden_words", Some(2)),
        ("unanswered", Some(5)),
    ];
    assert_eq!(found, expected);
    let span = card.findings[4].span.unwrap();
    assert_eq!(&"This is NOT my problem"[span.start as usize..span.end as usize], "NOT my problem");
}

#[test]
fn silence_is_no_opinion_and_no_answer_is_bad() {
    assert!(inspect(vec![line(1, 0, Speaker::System, "")]).is_none());
    let card = inspect(vec![line(1, 0, Speaker::Visitor, "在吗")]).unwrap();
    assert_eq!(card.score, 20);
}

#[test]
fn points_must_be_a_hundred() {
    let config = kefu_plugin_sdk::parse_config(r#"{"points":{"gaps":30}}"#);
    assert!(config.and_then(QualityInspector::configure).unwrap_err().contains("100"));
}
