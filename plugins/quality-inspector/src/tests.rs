//! Whole conversations and their cards, in both languages, one rule after the other.

use kefu_plugin_sdk::inspection::{Line, Severity, Speaker};

use super::*;

mod dialogues;

const V: Speaker = Speaker::Visitor;
const A: Speaker = Speaker::Agent;
const S: Speaker = Speaker::System;

fn event(seq: u64, seconds: u64, by: Speaker, kind: &str) -> Line {
    Line { seq, at: seconds * 1000, by, kind: kind.into(), text: String::new() }
}

fn line(seq: u64, seconds: u64, by: Speaker, text: &str) -> Line {
    Line { text: text.into(), ..event(seq, seconds, by, "message") }
}

/// Lines ten seconds apart, numbered from 1.
fn talk(said: &[(Speaker, &str)]) -> Vec<Line> {
    (1..).zip(said).map(|(seq, (by, text))| line(seq, seq * 10, *by, text)).collect()
}

fn inspect_with(config: &str, lines: Vec<Line>) -> Option<Scorecard> {
    let config = kefu_plugin_sdk::parse_config(config).unwrap();
    let inspector = QualityInspector::configure(config).unwrap();
    let input = Input { now: 0, seed: 0, conversation: 1, site: 1, lines, attrs: vec![] };
    let card = inspector.inspect(&input).unwrap()?;
    let sum: u8 = card.items.iter().map(|item| item.points).sum();
    assert_eq!(sum, card.score);
    for finding in &card.findings {
        let line = finding.seq.map(|seq| input.lines.iter().find(|l| l.seq == seq).unwrap());
        if let Some(span) = finding.span {
            assert!(line.unwrap().text.get(span.start as usize..span.end as usize).is_some());
        }
    }
    Some(card)
}

fn inspect(lines: Vec<Line>) -> Option<Scorecard> {
    inspect_with("{}", lines)
}

/// The rule's findings, as the numbers of their lines.
fn found(card: &Scorecard, rule: &str) -> Vec<Option<u64>> {
    card.findings.iter().filter(|one| one.rule == rule).map(|one| one.seq).collect()
}

fn points(card: &Scorecard, rule: &str) -> u8 {
    card.items.iter().find(|item| item.rule == rule).unwrap().points
}

#[test]
fn a_good_talk_has_all_points() {
    for said in [
        ["订单什么时候发货？", "您好，今天发货。", "好的谢谢", "不客气，祝您生活愉快，再见"],
        [
            "Where is my order",
            "Hi! It left this morning.",
            "Great, thanks",
            "You\u{2019}re welcome, bye!",
        ],
    ] {
        let card = inspect(talk(&[(V, said[0]), (A, said[1]), (V, said[2]), (A, said[3])]));
        let card = card.unwrap();
        assert_eq!((card.score, card.findings.len()), (100, 0), "{:?}", card.findings);
    }
}

#[test]
fn each_fault_costs_its_item_and_points_to_its_line() {
    let card = inspect(vec![
        line(1, 0, V, "This is broken"),
        line(2, 200, A, "This is NOT my problem"),
        line(3, 210, V, "?"),
        line(4, 300, A, "wait"),
        line(5, 310, V, "how long?"),
    ])
    .unwrap();
    let points: Vec<_> = card.items.iter().map(|item| item.points).collect();
    assert_eq!(points, [0, 0, 15, 0, 0, 0]);
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
}

#[test]
fn greetings_are_words_in_the_first_two_lines_of_the_agent() {
    let greeted = |first: &str, second: &str| {
        let lines = talk(&[(V, "订单没到"), (A, first), (A, second), (A, "您好")]);
        found(&inspect(lines).unwrap(), "greeting").is_empty()
    };
    assert!(
        greeted("您好！", "马上看")
            && greeted("马上看", "ＨＥＬＬＯ")
            && greeted("h\u{200b}i", "x")
    );
    assert!(!greeted("this one", "which?") && !greeted("good choice", "马上看"));
}

#[test]
fn the_first_answer_is_timed_from_the_hand_over() {
    let took = |lines: Vec<Line>| {
        let card = inspect(lines).unwrap();
        let gap = card.findings.iter().find(|one| one.rule == "first_response");
        gap.map(|one| one.facts[0].value.parse::<u64>().unwrap() / 1000)
    };
    let asked = || line(1, 0, V, "在吗");
    assert_eq!(took(vec![asked(), line(2, 31, A, "您好")]), Some(31));
    assert_eq!(took(vec![asked(), line(2, 30, A, "您好")]), None, "the limit itself is in time");
    let queue = vec![asked(), event(2, 100, S, "assigned"), line(3, 130, A, "您好")];
    assert_eq!(took(queue), None, "the queue is not the agent's");
    let given_on = vec![
        event(1, 0, S, "assigned"),
        line(2, 1, V, "在吗"),
        event(3, 90, A, "transferred"),
        event(4, 120, S, "assigned"),
        line(5, 160, A, "您好"),
    ];
    assert_eq!(took(given_on), Some(40), "the second agent is timed from its own assignment");
    let agent_first = vec![event(1, 0, S, "assigned"), line(2, 90, A, "您好"), line(3, 95, V, "?")];
    assert_eq!(took(agent_first), None, "who speaks first has answered");
}

#[test]
fn gaps_are_each_timed_and_a_transfer_starts_anew() {
    let card = inspect(vec![
        line(1, 0, V, "在吗"),
        line(2, 5, A, "您好"),
        line(3, 10, V, "坏了"),
        line(4, 15, V, "真的坏了"),
        line(5, 100, A, "怎么坏的？"),
        line(6, 110, V, "不亮"),
        event(7, 200, A, "transferred"),
        line(8, 240, A, "您好，换一个给您"),
    ])
    .unwrap();
    assert_eq!(found(&card, "gaps"), [Some(5)], "90 s from the first line; 40 s from the transfer");
    assert_eq!(points(&card, "gaps"), 17);
}

#[test]
fn leave_is_taken_in_the_last_two_lines() {
    let card = |last: &str| {
        inspect(talk(&[(V, "订单没到"), (A, "您好"), (A, "谢谢"), (A, "明天到"), (A, last)]))
    };
    assert_eq!(found(&card("祝您愉快").unwrap(), "closing"), []);
    assert_eq!(found(&card("Goodbye!").unwrap(), "closing"), []);
    assert_eq!(found(&card("have a look at it").unwrap(), "closing"), [Some(5)]);
    let mut left = talk(&[(V, "订单没到"), (A, "您好，明天到")]);
    left.push(event(3, 50, V, "closed"));
    assert_eq!(found(&inspect(left.clone()).unwrap(), "closing"), [], "the visitor left");
    left[2].by = A;
    assert_eq!(found(&inspect(left).unwrap(), "closing"), [Some(2)], "the agent just closed it");
}

#[test]
fn forbidden_words_are_found_in_disguise_with_their_bytes() {
    for (text, there) in [
        ("这事不归我管哦", "不归我管"),
        ("这事不\u{200b}归我管", "不\u{200b}归我管"),
        ("It is ＮＯＴ my  PROBLEM... not my problem", "not my problem"),
        ("Well, I DON\u{2019}T CARE!", "I DON\u{2019}T CARE"),
    ] {
        let card = inspect(talk(&[(V, "订单没到"), (A, text)])).unwrap();
        let finding = card.findings.iter().find(|one| one.rule == "forbidden_words").unwrap();
        let span = finding.span.unwrap();
        assert_eq!(&text[span.start as usize..span.end as usize], there);
        assert_eq!((finding.seq, finding.severity), (Some(2), Severity::Fail));
        assert_eq!(points(&card, "forbidden_words"), 0);
    }
    for (by, text) in [(A, "我不知道具体时间，帮您查"), (A, "shut upstairs"), (V, "shut up")]
    {
        let card = inspect(talk(&[(V, "订单没到"), (by, text), (A, "好的")])).unwrap();
        assert_eq!(found(&card, "forbidden_words"), [], "{text}");
    }
    let own = inspect_with(r#"{"forbidden":[" ＡＢＣ "]}"#, talk(&[(V, "x"), (A, "abc")])).unwrap();
    assert_eq!(found(&own, "forbidden_words"), [Some(2)]);
}

#[test]
fn what_asks_and_what_does_not() {
    let open = |text: &str| {
        let mut lines = talk(&[(V, text)]);
        lines.insert(0, line(0, 0, A, "您好"));
        !found(&inspect(lines).unwrap(), "unanswered").is_empty()
    };
    for text in [
        "什么时候发货",
        "可以退吗",
        "能不能便宜点。谢谢",
        "为什么还没到",
        "ＷＨＥＲＥ is it",
        "it broke. how do I fix it",
        "请问地址",
        "真的？",
        "Is it red? I like red",
        "can you help",
        "多少钱呀",
        "你好，多久到",
    ] {
        assert!(open(text), "asks: {text}");
    }
    for text in [
        "没什么",
        "什么都行",
        "谢谢",
        "?",
        "？？？",
        "在吗",
        "在吗？",
        "Hello?",
        "see https://a.b/c?d=1",
        "whatever",
        "When it came, it was broken",
        "What a shame",
        "Do come",
        "Howard is",
        "showhow is a word",
        "好的",
        "",
        "Anyone there?",
    ] {
        assert!(!open(text), "does not ask: {text}");
    }
}

#[test]
fn what_answers_and_what_does_not() {
    let open = |reply: &str| {
        let card = inspect(talk(&[(V, "订单什么时候发货？"), (A, reply)])).unwrap();
        !found(&card, "unanswered").is_empty()
    };
    for reply in
        ["明天", "是", "您好，今天发货", "Tomorrow.", "请稍等，查到了：您的订单明天发货", "no"]
    {
        assert!(!open(reply), "answers: {reply}");
    }
    for reply in [
        "您好",
        "好的，请稍等",
        "Hi!",
        "One moment please",
        "您好，请稍等，我帮您查一下",
        "谢谢，再见",
        "👍",
        "您好，请问有什么可以帮您？",
    ] {
        assert!(open(reply), "does not answer: {reply}");
    }
}

#[test]
fn a_question_stays_open_until_answered_and_opens_again_when_repeated() {
    let kept = [(V, "什么时候发货？"), (A, "请稍等"), (V, "好"), (A, "明天发货")];
    assert_eq!(found(&inspect(talk(&kept)).unwrap(), "unanswered"), []);
    let again = [(V, "什么时候发货？"), (A, "我们很重视"), (V, "什么时候发货"), (A, "明天发货")];
    let card = inspect(talk(&again)).unwrap();
    assert_eq!(found(&card, "unanswered"), [Some(1)]);
    assert_eq!(card.findings.last().unwrap().facts[0].value, "3");
    assert_eq!(points(&card, "unanswered"), 10, "one of two");
    let later = [
        (V, "地址在哪里？"),
        (A, "北京路"),
        (V, "另一家呢"),
        (A, "上海路有一家"),
        (V, "地址在哪里？"),
        (A, "上海路"),
    ];
    assert_eq!(found(&inspect(talk(&later)).unwrap(), "unanswered"), [], "about something else");
    let twice_in_a_row = [(V, "什么时候发货"), (V, "什么时候发货"), (A, "明天发货")];
    assert_eq!(found(&inspect(talk(&twice_in_a_row)).unwrap(), "unanswered"), []);
}

#[test]
fn a_visitor_who_leaves_at_once_leaves_no_question() {
    let closed = |by, seconds| {
        let mut lines = talk(&[(V, "订单没到"), (A, "您好，明天到"), (V, "几点到？")]);
        lines.push(event(4, seconds, by, "closed"));
        found(&inspect(lines).unwrap(), "unanswered")
    };
    assert_eq!(closed(V, 60), []);
    assert_eq!(closed(V, 91), [Some(3)], "the agent had a minute");
    assert_eq!(closed(A, 31), [Some(3)], "the agent closed over it");
}

#[test]
fn silence_is_no_opinion_or_no_points() {
    assert!(inspect(vec![event(1, 0, S, "assigned"), event(2, 9, S, "closed")]).is_none());
    let waited = |by, seconds| {
        let lines = vec![
            line(1, 0, V, "你好，怎么退货？"),
            event(2, 100, S, "assigned"),
            event(3, seconds, by, "closed"),
        ];
        inspect(lines)
    };
    assert!(waited(V, 110).is_none(), "nobody could have answered in ten seconds");
    for card in [waited(V, 200), waited(S, 110), waited(A, 110)] {
        let card = card.unwrap();
        assert_eq!(card.score, 0);
        assert_eq!(found(&card, "first_response"), [Some(1)]);
        assert_eq!(found(&card, "unanswered"), [Some(1)]);
    }
}

#[test]
fn bad_configs_are_refused_with_the_place() {
    for (config, words) in [
        (r#"{"points":{"gaps":30}}"#, "must be 100 in all, are 110"),
        (r#"{"gap_ms":0}"#, "at least 1"),
        (r#"{"closings":["bye"," \u200b "]}"#, "closings[1]"),
        (r#"{"forbiden":[]}"#, "forbiden"),
    ] {
        let refused = kefu_plugin_sdk::parse_config(config).and_then(QualityInspector::configure);
        let refused = refused.unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn many_open_questions_are_read_once() {
    let lines: Vec<Line> = (1..=5000).map(|seq| line(seq, seq, V, "什么时候发货？")).collect();
    let begun = std::time::Instant::now();
    let card = inspect([vec![line(0, 0, A, "您好")], lines].concat()).unwrap();
    assert_eq!((points(&card, "unanswered"), card.findings.len()), (0, 200));
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
