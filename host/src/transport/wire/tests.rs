//! Wire: what clients may send, what they send to break it, and what they may not see.

use std::sync::Arc;

use super::*;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{AgentId, VisitorId};
use crate::domain::people::Party;
use crate::domain::refusal::Code;
use crate::sessions::{Item, Push};

fn bad(text: &str) -> Bad {
    match decode(text, None) {
        Ok(frame) => panic!("{text} was decoded: {frame:?}"),
        Err(bad) => bad,
    }
}

fn talk() -> ConversationId {
    ConversationId::new(7).unwrap()
}

#[test]
fn every_frame_of_the_protocol_is_understood() {
    let key: ClientKey = "k".parse().unwrap();
    let ask = |ask| Frame::Ask { conversation: talk(), key: key.clone(), ask };
    let say = |note| Ask::Say { text: "hi".into(), note, file: None };
    let agent = TransferTarget::Agent(AgentId::new(3).unwrap());
    let given = [
        (r#"{"type":"send","conversation":"7","key":"k","text":"hi"}"#, ask(say(false))),
        (
            r#"{"key":"k","text":"hi","note":true,"x":[{}],"conversation":"7","type":"send"}"#,
            ask(say(true)),
        ),
        (r#"{"type":"close","conversation":"7","key":"k"}"#, ask(Ask::Close)),
        (r#"{"type":"take","conversation":"7","key":"k"}"#, ask(Ask::Take)),
        (
            r#"{"type":"rate","conversation":"7","key":"k","score":5,"comment":"好"}"#,
            ask(Ask::Rate { score: 5, comment: Some("好".into()) }),
        ),
        (
            r#"{"type":"transfer","conversation":"7","key":"k","to":{"kind":"agent","id":"3"}}"#,
            ask(Ask::Transfer { to: agent, note: None }),
        ),
        (r#"{"type":"status","status":"busy"}"#, Frame::Status(Status::Busy)),
        (
            r#"{"type":"follow","conversation":"7","seq":4}"#,
            Frame::Follow(Mark { conversation: talk(), seq: 4 }),
        ),
        (r#"{"type":"unfollow","conversation":"7"}"#, Frame::Unfollow(talk())),
        (
            r#"{"type":"typing","conversation":"7","on":false}"#,
            Frame::Typing { conversation: talk(), on: false },
        ),
        (
            r#"{"type":"seen","conversation":"7","read":9}"#,
            Frame::Seen { conversation: talk(), delivered: 0, read: 9 },
        ),
        (r#"{"type":"ping"}"#, Frame::Ping),
        (r#"{"\u0074ype":"pong"}"#, Frame::Pong),
        (r#"{"type":"bye"}"#, Frame::Bye),
    ];
    for (text, frame) in given {
        assert_eq!(decode(text, None), Ok(frame), "{text}");
    }
    let file = r#"{"type":"send","conversation":"7","key":"k","file":"9"}"#;
    let Ok(Frame::Ask { ask, .. }) = decode(file, None) else { panic!("no send") };
    let alone = Ask::Say { text: String::new(), note: false, file: "9".parse().ok() };
    assert_eq!(ask, alone);
    let hello =
        r#"{"type":"hello","protocol":1,"token":"t","resume":[{"conversation":"7","seq":2}]}"#;
    let Ok(Frame::Hello(hello)) = decode(hello, None) else { panic!("no hello") };
    assert_eq!(hello.resume, [Mark { conversation: talk(), seq: 2 }]);
    let open = r#"{"type":"open","key":"k","fields":{"name":"小王"},"text":"在吗"}"#;
    let Ok(Frame::Open(open)) = decode(open, None) else { panic!("no open") };
    assert_eq!((open.fields["name"].as_str(), open.offline), ("小王", false));
}

#[test]
fn hostile_frames_are_refused_and_nothing_breaks() {
    let deep = format!(r#"{{"type":"ping","x":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let deep_field = format!(
        r#"{{"type":"open","key":"k","fields":{}1{}}}"#,
        r#"{"a":"#.repeat(5000),
        "}".repeat(5000)
    );
    let long_key = format!(r#"{{"type":"close","conversation":"7","key":"{}"}}"#, "k".repeat(65));
    for text in [
        "",
        " ",
        "null",
        "1",
        "[]",
        "{}",
        "{",
        "\u{0}",
        "\"hello\"",
        r#"{"type":1,"data":1}"#,
        r#"{"type":null}"#,
        r#"{"type":"nothing"}"#,
        r#"{"type":"Send"}"#,
        r#"{"type":"ping","type":"bye"}"#,
        r#"{"type":"ping"}{"type":"ping"}"#,
        r#"{"type":"send","conversation":"7","text":"no key"}"#,
        r#"{"type":"send","conversation":"7","key":"k"}"#,
        r#"{"type":"send","conversation":"7","key":"k","text":7}"#,
        r#"{"type":"send","conversation":"7","key":"","text":"x"}"#,
        r#"{"type":"send","conversation":"7","key":"a b","text":"x"}"#,
        r#"{"type":"send","conversation":7,"key":"k","text":"x"}"#,
        r#"{"type":"send","conversation":"0","key":"k","text":"x"}"#,
        r#"{"type":"send","conversation":"-1","key":"k","text":"x"}"#,
        r#"{"type":"send","conversation":"99999999999999999999","key":"k","text":"x"}"#,
        r#"{"type":"send","conversation":"7","key":"k","text":"\ud800"}"#,
        r#"{"type":"send","conversation":"7","key":"k","text":"x","file":5}"#,
        r#"{"type":"send","conversation":"7","key":"k","text":"x","file":"0"}"#,
        r#"{"type":"rate","conversation":"7","key":"k","score":-1}"#,
        r#"{"type":"rate","conversation":"7","key":"k","score":1e99}"#,
        r#"{"type":"seen","conversation":"7","read":-1}"#,
        r#"{"type":"transfer","conversation":"7","key":"k","to":{"kind":"god","id":"1"}}"#,
        r#"{"type":"transfer","conversation":"7","key":"k","to":"3"}"#,
        r#"{"type":"status","status":"invisible"}"#,
        r#"{"type":"hello"}"#,
        r#"{"type":"hello","protocol":1,"resume":{"7":1}}"#,
        r#"{"type":"hello","protocol":1,"resume":[{"conversation":"x"}]}"#,
        deep.as_str(),
        deep_field.as_str(),
        long_key.as_str(),
    ] {
        // A ping may carry any field, however deep; it must only not break anything.
        if text == deep {
            drop(decode(text, None));
            continue;
        }
        let bad = bad(text);
        assert_eq!(bad.refusal.code(), Code::BadFrame, "{text}");
        let answer = error(&bad.refusal, bad.key.as_ref(), bad.conversation);
        assert!(answer.len() < 400, "{answer}");
    }
}

#[test]
fn an_error_names_the_draft_it_is_about() {
    let bad = bad(r#"{"type":"send","conversation":"7","key":"k1","text":[]}"#);
    assert_eq!(bad.key.unwrap().as_str(), "k1");
    assert_eq!(bad.conversation, Some(talk()));
}

#[test]
fn a_posts_idempotency_key_is_the_drafts_unless_it_has_one() {
    let header: ClientKey = "from-header".parse().unwrap();
    let frame = decode(r#"{"type":"close","conversation":"7"}"#, Some(&header)).unwrap();
    assert_eq!(frame.key(), Some(&header));
    let frame =
        decode(r#"{"type":"close","conversation":"7","key":"own"}"#, Some(&header)).unwrap();
    assert_eq!(frame.key().unwrap().as_str(), "own");
}

fn event(from: Party, body: EventBody) -> Item {
    let key = Some("secret-key".parse().unwrap());
    Item::Push(Push::Event(Arc::new(Event {
        conversation: talk(),
        seq: 3,
        at: 9,
        from,
        key,
        body,
    })))
}

fn seen_by(party: Party, item: &Item) -> Option<serde_json::Value> {
    encode(item, party, |_| None).map(|text| serde_json::from_str(&text).unwrap())
}

#[test]
fn visitors_see_no_notes_and_nobody_sees_anothers_key() {
    let visitor = Party::Visitor(VisitorId::new(5).unwrap());
    let agent = Party::Agent(AgentId::new(6).unwrap());
    let note = event(agent, EventBody::Note { text: "rude".into() });
    assert_eq!(seen_by(visitor, &note), None);
    assert_eq!(seen_by(agent, &note).unwrap()["event"]["text"], "rude");

    let to = TransferTarget::Agent(AgentId::new(8).unwrap());
    let name = "小李".to_string();
    let passed = event(agent, EventBody::Transferred { to, name, note: Some("rude".into()) });
    assert!(!seen_by(visitor, &passed).unwrap().to_string().contains("rude"));
    assert!(seen_by(agent, &passed).unwrap().to_string().contains("rude"));

    let said = event(visitor, EventBody::Message { text: "hi".into(), masked: false, file: None });
    assert_eq!(seen_by(visitor, &said).unwrap()["event"]["key"], "secret-key");
    assert_eq!(seen_by(agent, &said).unwrap()["event"].get("key"), None);
    let expected = serde_json::json!({"type": "event", "event": {"conversation": "7", "seq": 3,
        "at": 9, "from": {"kind": "visitor", "id": "5"}, "type": "message", "text": "hi"}});
    assert_eq!(seen_by(agent, &said).unwrap(), expected);
}

#[test]
fn errors_and_byes_look_as_the_protocol_says() {
    let refusal = Refusal::RateLimited { retry_after_ms: 40 };
    let key = "k".parse().unwrap();
    let text = error(&refusal, Some(&key), Some(talk()));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["type"], "error");
    assert_eq!(value["code"], "rate_limited");
    assert_eq!((&value["key"], &value["conversation"]), (&"k".into(), &"7".into()));
    assert_eq!(value["retry_after_ms"], 40);
    let body: serde_json::Value = serde_json::from_str(&error_body(&refusal)).unwrap();
    assert_eq!(body["error"]["code"], "rate_limited");
    let bye = bye(crate::sessions::Bye::SlowReader, Some(9));
    assert_eq!(bye, r#"{"type":"bye","code":"slow_reader","reconnect_ms":9}"#);
    assert_eq!(pong(), r#"{"type":"pong"}"#);
}

#[test]
fn keys_that_the_server_gives_are_not_for_clients() {
    let close = |key: &str| {
        decode(&format!(r#"{{"type":"close","conversation":"7","key":"{key}"}}"#), None)
    };
    for key in ["c1-0", "c12-3"] {
        assert!(matches!(
            close(key),
            Err(Bad { refusal: Refusal::Invalid { field: "key", .. }, .. })
        ));
    }
    for key in ["c", "c1", "c-1", "cx-0", "c1-x", "1-0"] {
        assert!(close(key).is_ok(), "{key}");
    }
}
