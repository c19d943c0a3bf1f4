//! Cards that the host does not believe.

use super::wit::Attr;
use super::wit::exports::kefu::inspection::inspection::{Finding as Found, Item as Points, Span};
use super::*;

fn lines() -> Vec<Line> {
    let line = |seq, by, text: &str| Line {
        seq,
        at: seq * 1000,
        by,
        kind: "message".into(),
        text: text.into(),
    };
    vec![line(3, Speaker::Visitor, "在吗"), line(5, Speaker::Agent, "您好")]
}

fn card(score: u8, items: &[(u8, u8)], findings: Vec<Found>) -> wit::Scorecard {
    let item = |&(points, max): &(u8, u8)| Points { rule: "rule".into(), points, max };
    wit::Scorecard { score, items: items.iter().map(item).collect(), findings }
}

fn finding(seq: Option<u64>, span: Option<(u32, u32)>) -> Found {
    let span = span.map(|(start, end)| Span { start, end });
    Found { rule: "rule".into(), severity: wit::Severity::Warn, seq, span, facts: vec![] }
}

#[test]
fn good_cards_pass() {
    let findings =
        vec![finding(None, None), finding(Some(5), None), finding(Some(5), Some((3, 6)))];
    let got = checked(&lines(), card(70, &[(40, 50), (30, 50)], findings)).unwrap();
    assert_eq!((got.score, got.items.len(), got.findings.len()), (70, 2, 3));
    assert_eq!(got.findings[2].span, Some((3, 6)));
}

#[test]
fn nonsense_is_a_fault_with_the_reason() {
    let one = |found: Found| card(50, &[(50, 100)], vec![found]);
    let fact = |name: &str| Attr { name: name.into(), value: "1".into() };
    let mut many_facts = finding(None, None);
    many_facts.facts = vec![fact("gap_ms"); 17];
    let mut long_fact = finding(None, None);
    long_fact.facts = vec![fact(&"x".repeat(257))];
    for (got, words) in [
        (card(101, &[(101, 101)], vec![]), "score 101"),
        (card(255, &[(255, 255), (255, 255)], vec![]), "score 255"),
        (card(60, &[(30, 50), (29, 50)], vec![]), "is not the sum 59"),
        (card(10, &[], vec![]), "is not the sum 0"),
        (card(60, &[(60, 50)], vec![]), "more points than possible"),
        (card(0, &[(0, 1); 33], vec![]), "at most 32 items"),
        (card(0, &[], vec![finding(None, None); 501]), "500 findings"),
        (one(finding(Some(4), None)), "no line 4"),
        (one(finding(Some(0), None)), "no line 0"),
        (one(finding(None, Some((0, 1)))), "span without a line"),
        (one(finding(Some(5), Some((0, 7)))), "span 0..7 does not fit line 5"),
        (one(finding(Some(5), Some((1, 3)))), "span 1..3"),
        (one(finding(Some(5), Some((6, 3)))), "span 6..3"),
        (one(finding(Some(5), Some((3, 3)))), "span 3..3"),
        (one(many_facts), "too large"),
        (one(long_fact), "too large"),
    ] {
        let why = checked(&lines(), got).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}
