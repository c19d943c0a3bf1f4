//! Words in disguise, personal data, and the bytes they stand at.

use super::*;

fn judge(config: &str, text: &str) -> Verdict {
    let filter = kefu_plugin_sdk::parse_config(config).and_then(MessageFilter::configure).unwrap();
    let input =
        Input { now: 0, seed: 0, site: 1, from_visitor: true, text: text.into(), attrs: vec![] };
    filter.judge(&input).unwrap().unwrap()
}

#[test]
fn words_are_found_in_disguise_and_spans_point_to_the_original() {
    let config = r#"{"lists":[{"action":"mask","words":["spam","垃圾"]}]}"#;
    let text = "你 ＳＰ\u{200b}Ａm! 垃\u{200b}圾";
    let verdict = judge(config, text);
    assert_eq!(verdict.action, Action::Mask);
    assert_eq!(verdict.text.unwrap(), "你 ****! **");
    let first = &verdict.hits[0];
    assert_eq!(&text[first.start as usize..first.end as usize], "ＳＰ\u{200b}Ａm");
    assert_eq!(judge(config, "spammer").action, Action::Allow);
}

#[test]
fn a_word_of_a_block_list_blocks() {
    let config = r#"{"lists":[{"action":"block","words":["赌博"]}]}"#;
    let verdict = judge(config, "来赌博 13800138000");
    assert_eq!((verdict.action, verdict.text), (Action::Block, None));
    assert_eq!(verdict.hits.len(), 2);
}

#[test]
fn personal_data_is_masked_and_look_alikes_are_not() {
    for (text, rule) in [
        ("13800138000", "phone"),
        ("+86 138-0013-8000", "phone"),
        ("１３８００１３８０００", "phone"),
        ("11010519491231002X", "id_card"),
        ("4111 1111 1111 1111", "bank_card"),
        ("a.b@example.com.", "email"),
    ] {
        let verdict = judge("{}", text);
        assert_eq!(verdict.hits.len(), 1, "{text}");
        assert_eq!((verdict.action, &*verdict.hits[0].rule), (Action::Mask, rule), "{text}");
    }
    for text in
        ["", "12800138000", "110105194912310021", "4111111111111112", "a@b", "订单 20251123"]
    {
        assert_eq!(judge("{}", text).action, Action::Allow, "{text}");
    }
}

#[test]
fn an_empty_word_is_refused() {
    let config = r#"{"lists":[{"action":"mask","words":["\u200b"]}]}"#;
    assert!(kefu_plugin_sdk::parse_config(config).and_then(MessageFilter::configure).is_err());
}
