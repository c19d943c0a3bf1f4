//! Format 1 is a promise to other programs: the fixtures are what was written, byte for byte, and stay readable.

use std::collections::BTreeMap;

use super::*;
use crate::domain::event::{CloseReason, EventBody, QueueCause, TransferTarget};
use crate::domain::file::Attachment;
use crate::domain::ids::{AgentId, ConversationId, DecisionId, FileId, SiteId, TeamId, VisitorId};
use crate::domain::people::Party;

/// One line per kind of event. New kinds are added below; what is there is never changed.
const FIXTURES: &str = include_str!("v1.jsonl");

fn agent(number: u64) -> AgentId {
    AgentId::new(number).unwrap()
}

fn bodies() -> Vec<EventBody> {
    let file = Attachment {
        id: FileId::new(77).unwrap(),
        name: "发票.pdf".into(),
        kind: "application/pdf".into(),
        size: 1234,
        width: None,
        height: None,
        url: "/v1/files/77".into(),
    };
    let says = |text: &str, masked, file| EventBody::Message { text: text.into(), masked, file };
    vec![
        EventBody::Opened {
            site: SiteId::new(3).unwrap(),
            visitor: VisitorId::new(5).unwrap(),
            fields: BTreeMap::from([("order".into(), "A-1".into())]),
            page: Some("https://shop.example/cart".into()),
        },
        EventBody::Queued { cause: QueueCause::Opened },
        EventBody::Assigned { agent: agent(9), name: "Li".into(), decision: DecisionId::new(11) },
        says("你好 \"quoted\"\n\u{0}", false, None),
        says("", true, Some(Box::new(file))),
        EventBody::Note { text: "regular".into() },
        EventBody::Transferred {
            to: TransferTarget::Team(TeamId::new(4).unwrap()),
            name: "Billing".into(),
            note: Some("refund".into()),
        },
        EventBody::Rated { score: 5, comment: Some("quick".into()) },
        EventBody::Closed { reason: CloseReason::Visitor },
    ]
}

fn events() -> Vec<Event> {
    let senders =
        [Party::Visitor(VisitorId::new(5).unwrap()), Party::System, Party::Agent(agent(9))];
    let event = |(n, body): (usize, EventBody)| Event {
        conversation: ConversationId::new(9_007_199_254_740_993).unwrap(),
        seq: n as u64 + 1,
        at: 1_764_033_600_000 + n as u64,
        from: senders[n % 3],
        key: (n % 3 != 1).then(|| format!("k{n}").parse().unwrap()),
        body,
    };
    bodies().into_iter().enumerate().map(event).collect()
}

#[test]
fn what_is_written_is_what_was_promised() {
    let written: Vec<_> =
        events().iter().map(|event| String::from_utf8(encode(event).unwrap()).unwrap()).collect();
    let promised: Vec<_> = FIXTURES.lines().collect();
    assert_eq!(written, promised);
}

#[test]
fn what_was_written_is_still_read() {
    let read: Vec<_> = FIXTURES.lines().map(|line| decode(line.as_bytes()).unwrap()).collect();
    assert_eq!(read, events());
}

#[test]
fn headers_tell_ours_from_others_and_from_later_ones() {
    let ours = Headers { format: Some(b"1"), epoch: Some(b"7"), position: Some(b"1764-3") };
    let position = LogPosition { ms: 1764, n: 3 };
    assert_eq!(ours.stamp(), Ok(Some(Stamp { epoch: 7, position })));
    let by_hand = Headers { format: Some(b"1"), ..Headers::default() };
    assert_eq!(by_hand.stamp(), Ok(None));
    assert_eq!(Headers::default().stamp(), Err(BadRecord::Foreign));
    let later = Headers { format: Some(b"2"), ..ours };
    assert_eq!(later.stamp(), Err(BadRecord::Format("2".into())));
    let odd = Headers { position: Some(b"soon"), ..ours };
    assert_eq!(odd.stamp(), Err(BadRecord::Header(POSITION_HEADER)));
    assert!(matches!(decode(b"{\"format\":1}"), Err(BadRecord::Value(_))));
}
