//! What a person would type, and what must come of it.

use kefu_plugin_sdk::Filter;
use kefu_plugin_sdk::filter::{Action, Input, Verdict};

use super::{Config, MessageFilter};

fn judge_with(config: &str, text: &str) -> Verdict {
    let config: Config = kefu_plugin_sdk::parse_config(config).expect("a config");
    let filter = MessageFilter::configure(config).expect("configures");
    let input =
        Input { now: 0, seed: 0, site: 1, from_visitor: true, text: text.into(), attrs: vec![] };
    filter.judge(&input).expect("judges").expect("has an opinion")
}

fn masked(text: &str) -> String {
    let verdict = judge_with("{}", text);
    verdict.text.unwrap_or_else(|| {
        assert_eq!(verdict.action, Action::Allow);
        text.into()
    })
}

#[test]
fn harmless_text_is_allowed_untouched() {
    for text in ["", "你好，请问发货了吗？", "order 2024-11-23, 3 items", "👍👍", "a@b"]
    {
        let verdict = judge_with(r#"{"block":["加微信"],"mask":["damn"]}"#, text);
        assert_eq!((verdict.action, verdict.text, verdict.hits.len()), (Action::Allow, None, 0));
    }
}

#[test]
fn mobile_numbers_keep_three_and_four() {
    assert_eq!(masked("我的电话13812345678。"), "我的电话138****5678。");
    assert_eq!(masked("138 1234 5678"), "138 **** 5678");
    assert_eq!(masked("+86-138-1234-5678"), "+86-138-****-5678");
    assert_eq!(masked("１３８１２３４５６７８"), "１３８****５６７８");
    assert_eq!(masked("1\u{200b}3812345678"), "1\u{200b}38****5678");
    assert_eq!(masked("12812345678"), "12812345678", "no operator has 128");
    assert_eq!(masked("order 138123456789"), "order 138123456789", "twelve digits are no mobile");
}

#[test]
fn identity_numbers_need_their_check_digit() {
    assert_eq!(masked("身份证11010519491231002X"), "身份证1****************X");
    assert_eq!(masked("身份证11010519491231002x,"), "身份证1****************x,");
    assert_eq!(masked("110105194912310021"), "110105194912310021", "wrong check digit");
}

#[test]
fn cards_need_luhn() {
    assert_eq!(masked("卡号 4111 1111 1111 1111"), "卡号 **** **** **** 1111");
    assert_eq!(masked("4111111111111112"), "4111111111111112");
    assert_eq!(masked("6222021234567890128"), "***************0128".to_owned());
}

#[test]
fn two_numbers_side_by_side_are_two() {
    assert_eq!(masked("13812345678 13987654321"), "138****5678 139****4321");
}

#[test]
fn a_number_and_a_card_side_by_side_are_two() {
    assert_eq!(masked("13800138000 4111111111111111"), "138****8000 ************1111");
}

#[test]
fn a_message_full_of_hits_reports_some_and_masks_all() {
    let verdict = judge_with(r#"{"mask":["x"]}"#, &"x ".repeat(1000));
    assert_eq!(verdict.hits.len(), 200);
    assert_eq!(verdict.text, Some("* ".repeat(1000)));
}

#[test]
fn addresses_keep_the_first_letter_and_the_domain() {
    assert_eq!(masked("Mail Li.Na@example.com."), "Mail L*.**@example.com.");
    assert_eq!(masked("写给ｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ"), "写给ｌ*＠ｅｘａｍｐｌｅ．ｃｏｍ");
}

#[test]
fn words_are_found_through_disguises() {
    let config = r#"{"mask":["VX","加微信"]}"#;
    for text in ["ｖＸ", "v\u{200b}x", "Vx"] {
        let verdict = judge_with(config, text);
        assert_eq!(verdict.action, Action::Mask, "{text}");
    }
    assert_eq!(judge_with(config, "请加微信吧").text.as_deref(), Some("请***吧"));
    assert_eq!(judge_with(config, "VXL").action, Action::Allow, "inside another word");
}

#[test]
fn a_blocked_word_wins_and_points_into_the_original() {
    let text = "ok 退\u{200b}款诈骗 13812345678";
    let verdict = judge_with(r#"{"block":["退款诈骗"]}"#, text);
    assert_eq!((verdict.action, verdict.text), (Action::Block, None));
    let hit = verdict.hits.iter().find(|hit| hit.rule == "word").expect("the word");
    assert_eq!(&text[hit.start as usize..hit.end as usize], "退\u{200b}款诈骗");
    assert_eq!(verdict.hits.len(), 2, "the number is reported too");
}

#[test]
fn kinds_may_be_blocked_or_let_through() {
    let verdict = judge_with(r#"{"phone":"block"}"#, "13812345678");
    assert_eq!(verdict.action, Action::Block);
    let verdict = judge_with(r#"{"phone":"allow"}"#, "13812345678");
    assert_eq!(verdict.action, Action::Allow);
}

#[test]
fn bad_configs_are_refused_with_the_place() {
    for (config, place) in [
        (r#"{"block":[" "]}"#, "block[0]"),
        (r#"{"phone":"hide"}"#, "hide"),
        (r#"{"wrods":[]}"#, "wrods"),
    ] {
        let error = kefu_plugin_sdk::parse_config::<Config>(config)
            .and_then(MessageFilter::configure)
            .expect_err("refused");
        assert!(error.contains(place), "{error}");
    }
}
