//! What is wrong with a topic, what is worth knowing, and what is as it should be.

use super::*;

fn said(topic: JournalTopic) -> String {
    let journal = JournalSettings {
        brokers: "kafka:9092".into(),
        topic: "kefu".into(),
        partitions: 16,
        replication: 0,
        linger_ms: 1,
        in_flight: 1000,
        in_flight_kib: 1024,
    };
    match judged(&journal, &topic) {
        Ok(Good(said)) => format!("ok {said}"),
        Ok(Note(said)) => format!("note {said}"),
        Err(error) => format!("WRONG {error}"),
    }
}

#[test]
fn a_topic_is_judged_by_what_it_promises() {
    let good = JournalTopic {
        partitions: 16,
        copies: 3,
        in_sync: 3,
        leaderless: 0,
        min_in_sync: Some(2),
        compacted: false,
    };
    let line = said(good.clone());
    assert!(line.starts_with("ok kefu, 16 partitions, copies of each: 3"), "{line}");
    assert!(line.ends_with("min.insync.replicas 2"), "{line}");
    for (topic, words) in [
        (JournalTopic { partitions: 4, ..good.clone() }, "WRONG kefu has 4 partitions"),
        (JournalTopic { compacted: true, ..good.clone() }, "WRONG kefu has cleanup.policy compact"),
        (JournalTopic { leaderless: 2, ..good.clone() }, "WRONG 2 of 16 partitions"),
        (JournalTopic { in_sync: 1, ..good.clone() }, "it takes nothing"),
        (JournalTopic { in_sync: 2, ..good.clone() }, "note "),
        (JournalTopic { min_in_sync: Some(1), ..good.clone() }, "when one broker has it"),
        (
            JournalTopic { copies: 1, in_sync: 1, min_in_sync: Some(1), ..good.clone() },
            "disk that dies",
        ),
        (JournalTopic { min_in_sync: None, ..good.clone() }, "ok "),
    ] {
        let line = said(topic.clone());
        assert!(line.contains(words), "{topic:?}: {line}");
    }
}
