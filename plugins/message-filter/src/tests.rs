//! What a person would type, and what must come of it.

use std::path::Path;

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
fn mobile_numbers_in_every_dress() {
    for (text, shown) in [
        ("+8613812345678", "+86138****5678"),
        ("+86 138 1234 5678", "+86 138 **** 5678"),
        ("0086-13812345678", "0086-138****5678"),
        ("(86)13812345678", "(86)138****5678"),
        ("vx13812345678x", "vx138****5678x"),
        ("1 3 8 1 2 3 4 5 6 7 8", "1 3 8 * * * * 5 6 7 8"),
        ("转13812345678-2", "转138****5678-2"),
        ("13812345678，13987654321", "138****5678，139****4321"),
    ] {
        assert_eq!(masked(text), shown);
    }
    for text in [
        "010-62345678",
        "138 1234  5678",
        "138_1234_5678",
        "138.1234.5678",
        "12345138123456781",
        "86 1381234567",
        "dlg-0a3cb186-7564-4579-8b1e",
        "2024-11-23 13:45",
        "138123456",
        "99913812345678",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn identity_numbers_need_their_check_digit() {
    for (text, shown) in [
        ("身份证11010519491231002X", "身份证1****************X"),
        ("身份证11010519491231002x,", "身份证1****************x,"),
        ("110105 19491231 002X", "1***** ******** ***X"),
        ("１１０１０５１９４９１２３１００２Ｘ", "１****************Ｘ"),
    ] {
        assert_eq!(masked(text), shown, "{text}");
    }
    for text in [
        "110105194912310021",
        "110105194912310020",
        "11010519491331002X",
        "110105491231002",
        "911010519491231002X",
        "110105194912310022",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn cards_need_luhn_and_an_issuer() {
    for (text, shown) in [
        ("卡号 4111 1111 1111 1111", "卡号 **** **** **** 1111"),
        ("4111-1111-1111-1111", "****-****-****-1111"),
        ("6222021234567890128", "***************0128"),
        ("378282246310005", "***********0005"),
        ("5555555555554444", "************4444"),
    ] {
        assert_eq!(masked(text), shown);
    }
    for text in [
        "4111111111111112",
        "41111111111111111111",
        "SF4111111111111111",
        "4111111111111111A",
        "0000000000000000",
        "1111111111111117",
        "41 11 11 11 11 11 11 11",
        "4111  1111 1111 1111",
    ] {
        assert_eq!(masked(text), text);
    }
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
    for (text, shown) in [
        ("Mail Li.Na@example.com.", "Mail L*.**@example.com."),
        ("写给ｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ", "写给ｌ*＠ｅｘａｍｐｌｅ．ｃｏｍ"),
        ("a@example.com", "*@example.com"),
        ("x+tag@sub.example.co.uk,", "x+***@sub.example.co.uk,"),
        ("13812345678@example.com", "1**********@example.com"),
    ] {
        assert_eq!(masked(text), shown);
    }
    for text in ["@example.com", "a@b", "a@b.c", "-@example.com", "a @example.com", "a@example.123"]
    {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn hits_are_bytes_of_the_original() {
    let text = "长\u{200b}1\u{200b}3812345678，Ａ@example.com";
    let verdict = judge_with("{}", text);
    let there: Vec<_> = verdict
        .hits
        .iter()
        .map(|hit| (&*hit.rule, &text[hit.start as usize..hit.end as usize]))
        .collect();
    assert_eq!(there, [("phone", "1\u{200b}3812345678"), ("email", "Ａ@example.com")]);
}

#[test]
fn masking_what_is_masked_changes_nothing() {
    let config = r#"{"mask":["加微信","damn"]}"#;
    for text in [
        "加微信13812345678 damn a.b-@example.com",
        "卡号 4111 1111 1111 1111 身份证11010519491231002X",
        "1 3 8 1 2 3 4 5 6 7 8 l@example.com",
    ] {
        let once = judge_with(config, text).text.expect("masked");
        assert_ne!(once, text);
        let twice = judge_with(config, &once).text.unwrap_or_else(|| once.clone());
        assert_eq!(twice, once);
    }
}

/// What real people write holds order numbers, prices, times, landlines and identifiers; of all the kinds, only mobile
/// numbers, each of which a person has looked at.
#[test]
fn in_real_dialogues_only_mobile_numbers_are_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dialogues");
    // The data is not part of the repository.
    let Ok(files) = std::fs::read_dir(folder) else {
        return kefu_servers::skipped("no real dialogues");
    };
    let planted = "13812345678";
    let mut rows = 0;
    for file in files {
        for row in std::fs::read_to_string(file.expect("an entry").path()).expect("text").lines() {
            // Into every hundredth row goes a number, so that finding nothing is no success.
            let hides = rows % 100 == 0;
            let text = if hides { format!("{row} {planted}") } else { row.to_owned() };
            let hits = judge_with("{}", &text).hits;
            let found = hits.iter().map(|hit| &text[hit.start as usize..hit.end as usize]);
            let found: Vec<_> = found.collect();
            let known = [planted, "13699120196", "15210801573", "13126919465", "13910105454"];
            assert!(found.iter().all(|number| known.contains(number)), "{found:?} in {text}");
            assert_eq!(found.contains(&planted), hides, "{found:?} in {text}");
            rows += 1;
        }
    }
    assert!(rows > 0, "the folder of dialogues is empty");
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
