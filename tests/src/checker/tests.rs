//! The checker against servers that are made up: one that keeps its word, and some that do not.

use serde_json::json;

use super::*;

const DRAFT: &str = "我的电话13812345678。";
const MASKED: &str = "我的电话138****5678。";

fn drafted(log: &mut Log, key: &str, text: &str) {
    log.drafts.push(Draft {
        key: key.into(),
        conversation: "7".into(),
        kind: "send".into(),
        text: Some(text.into()),
    });
}

/// One visitor drafted `DRAFT`; a server acked it with `told`, and keeps and shows `kept`.
fn found(told: Option<&str>, kept: &str) -> Findings {
    let who: Who = ("visitor".into(), "5".into());
    let mut log = Log { who: who.clone(), ..Log::default() };
    drafted(&mut log, "k1", DRAFT);
    log.ack(&json!({ "key": "k1", "conversation": "7", "seq": 1, "text": told }));
    let from = json!({ "kind": "visitor", "id": "5" });
    let body = json!({ "type": "message", "text": kept });
    log.event(&json!({
        "conversation": "7", "seq": 1, "from": from, "type": "message", "text": kept
    }));
    let event = Kept { seq: 1, at: 0, from: who, key: "k1".into(), body };
    check(&[log], &Stream::from([("7".into(), vec![event])]))
}

#[test]
fn what_the_filter_makes_of_a_draft_is_right() {
    let findings = found(Some(MASKED), MASKED);
    assert!(findings.clean(), "{findings:#?}");
    assert_eq!((findings.acked, findings.heard), (1, 1));
    assert!(found(None, MASKED).clean(), "an ack repeated need not say it again");
}

#[test]
fn a_server_that_spoils_a_text_everywhere_alike_is_found_out() {
    for spoilt in ["我的电话***********。", "我的电话", "", DRAFT] {
        let findings = found(Some(spoilt), spoilt);
        assert!(findings.differing > 0, "{spoilt:?}: {findings:#?}");
    }
    assert!(found(None, DRAFT).differing > 0, "not masked at all");
}

#[test]
fn an_ack_that_tells_another_text_is_found_out() {
    assert_eq!(found(Some("我的电话"), MASKED).differing, 1);
}

/// What is found of one visitor who was refused all of these texts with this code, where the filter blocks `刷单`.
fn refused(code: &str, texts: &[&str]) -> Findings {
    let mut log = Log { who: ("visitor".into(), "5".into()), ..Log::default() };
    for (n, text) in texts.iter().enumerate() {
        drafted(&mut log, &format!("k{n}"), text);
        log.refused.insert(format!("k{n}"), code.into());
    }
    let config = message_filter::Config { block: vec!["刷单".into()], ..Default::default() };
    let rules = Rules(MessageFilter::configure(config).expect("a config"));
    let mut findings = Findings::default();
    refusals(&log, &rules, &mut findings);
    findings
}

#[test]
fn a_server_that_blocks_what_the_filter_lets_through_is_found_out() {
    let findings = refused("blocked", &["帐篷防水吗？", DRAFT, "刷单日结"]);
    assert_eq!(findings.lost, 2, "one kept as it is, one masked: {findings:#?}");
    assert!(findings.words.iter().all(|words| !words.contains("刷单")), "{findings:#?}");
    assert!(refused("blocked", &["刷单日结"]).clean(), "what the filter blocks");
    assert!(refused("conflict", &[DRAFT]).clean(), "refused for what is not its text");
}

#[test]
fn a_log_full_of_refusals_is_not_clean() {
    let mut log = Log { who: ("visitor".into(), "5".into()), ..Log::default() };
    drafted(&mut log, "k1", DRAFT);
    log.refused.insert("k1".into(), "blocked".into());
    assert_eq!(check(&[log], &Stream::new()).lost, 1);
}

/// What is found when an agent hears these of a visitor's four lines: lost, doubled, reordered, differing.
fn heard(events: &[(u64, &str)]) -> [usize; 4] {
    let who: Who = ("visitor".into(), "5".into());
    let mut says = Log { who: who.clone(), ..Log::default() };
    let kept = (1..=4).map(|seq| {
        let (key, text) = (format!("k{seq}"), format!("line {seq}"));
        drafted(&mut says, &key, &text);
        Kept {
            seq,
            at: 0,
            from: who.clone(),
            key,
            body: json!({ "type": "message", "text": text }),
        }
    });
    let stream = Stream::from([("7".into(), kept.collect())]);
    let mut hears = Log { who: ("agent".into(), "1".into()), ..Log::default() };
    for (seq, text) in events {
        let from = json!({ "kind": "visitor", "id": "5" });
        hears.event(&json!({
            "conversation": "7", "seq": seq, "from": from, "type": "message", "text": text
        }));
    }
    let findings = check(&[says, hears], &stream);
    [findings.lost, findings.doubled, findings.reordered, findings.differing]
}

#[test]
fn a_view_that_is_not_what_is_kept_is_found_out() {
    let [one, two, three, four] = [(1, "line 1"), (2, "line 2"), (3, "line 3"), (4, "line 4")];
    assert_eq!(heard(&[one, two, three, four]), [0; 4]);
    assert_eq!(heard(&[one, three, four]), [1, 0, 0, 0]);
    assert_eq!(heard(&[one, two, two, three, four]), [0, 1, 0, 0]);
    assert_eq!(heard(&[one, three, two, four]), [0, 0, 1, 0]);
    assert_eq!(heard(&[one, two, three, four, (5, "line 5")]), [0, 0, 0, 1]);
    assert_eq!(heard(&[one, (2, "another"), three, four]), [0, 0, 0, 1]);
}

#[test]
fn drafts_that_are_kept_in_another_order_are_found_out() {
    let who: Who = ("visitor".into(), "5".into());
    let mut log = Log { who: who.clone(), ..Log::default() };
    let mut kept = Vec::new();
    for (key, seq) in [("k1", 2), ("k2", 1)] {
        drafted(&mut log, key, key);
        log.ack(&json!({ "key": key, "conversation": "7", "seq": seq }));
        let body = json!({ "type": "message", "text": key });
        kept.insert(0, Kept { seq, at: 0, from: who.clone(), key: key.into(), body });
    }
    let findings = check(&[log], &Stream::from([("7".into(), kept)]));
    assert_eq!((findings.reordered, findings.lost, findings.differing), (1, 0, 0), "{findings:#?}");
}
