//! The checker against servers that are made up: one that keeps its word, and some that do not.

use serde_json::json;

use super::*;

const DRAFT: &str = "我的电话13812345678。";
const MASKED: &str = "我的电话138****5678。";

/// One visitor drafted `DRAFT`; a server acked it with `told`, and keeps and shows `kept`.
fn found(told: Option<&str>, kept: &str) -> Findings {
    let who: Who = ("visitor".into(), "5".into());
    let mut log = Log { who: who.clone(), ..Log::default() };
    log.drafts.push(Draft {
        key: "k1".into(),
        conversation: "7".into(),
        kind: "send".into(),
        text: Some(DRAFT.into()),
    });
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
