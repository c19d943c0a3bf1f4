//! The rules of the tiers, each turned red by one thing that is wrong in one place.

use serde_json::json;

use super::*;

fn said(seq: u64, text: &str) -> Kept {
    let from = ("visitor".into(), "5".into());
    let body = json!({ "type": "message", "text": text });
    Kept { seq, at: 1_764_033_600_000 + seq, from, key: format!("k{seq}"), body }
}

fn copy(seq: u64) -> Record {
    ("7".into(), said(seq, &format!("line {seq}")))
}

/// Three events of one conversation, in every place.
fn sound() -> Tiers {
    let copies: Vec<Record> = (1..=3).map(copy).collect();
    Tiers {
        sql: Stream::from([("7".into(), copies.iter().map(|(_, kept)| kept.clone()).collect())]),
        conflicts: 0,
        topic: Some(copies.clone()),
        redis: copies,
        heads: Heads::from([("7".into(), 3)]),
    }
}

/// What is found when the topic is changed.
fn in_topic(change: impl FnOnce(&mut Vec<Record>)) -> [usize; 4] {
    found(|tiers| change(tiers.topic.get_or_insert_default()))
}

/// What is found when something is changed: lost, doubled, reordered, differing.
fn found(change: impl FnOnce(&mut Tiers)) -> [usize; 4] {
    let mut tiers = sound();
    change(&mut tiers);
    let findings = check_tiers(&[], &tiers);
    [findings.lost, findings.doubled, findings.reordered, findings.differing]
}

#[test]
fn what_is_the_same_everywhere_is_right() {
    assert_eq!(found(|_| {}), [0; 4]);
    // SQL has it: Redis need not.
    assert_eq!(found(|tiers| tiers.redis.truncate(1)), [0; 4]);
    assert_eq!(found(|tiers| tiers.heads.clear()), [0; 4]);
    assert_eq!(found(|tiers| tiers.topic = None), [0; 4]);
}

#[test]
fn what_comes_again_in_the_topic_is_passed_over() {
    let mut tiers = sound();
    tiers.topic = Some([1, 2, 1, 2, 3, 3].into_iter().map(copy).collect());
    let findings = check_tiers(&[], &tiers);
    assert!(findings.clean(), "{findings:#?}");
    assert_eq!(findings.again, 3);
}

#[test]
fn what_comes_again_and_is_another_is_found() {
    let spoilt = ("7".to_owned(), said(2, "another"));
    assert_eq!(in_topic(|topic| topic.push(spoilt)), [0, 0, 0, 1]);
}

#[test]
fn a_hole_in_the_topic_is_found() {
    assert_eq!(in_topic(|topic| drop(topic.remove(1))), [0, 0, 1, 0]);
    // Also when it is filled too late.
    assert_eq!(in_topic(|topic| topic.swap(1, 2)), [0, 0, 1, 0]);
}

#[test]
fn an_end_that_never_came_to_the_topic_is_lost() {
    assert_eq!(in_topic(|topic| drop(topic.pop())), [1, 0, 0, 0]);
    assert_eq!(in_topic(Vec::clear), [1, 0, 0, 0]);
}

#[test]
fn what_only_the_topic_has_is_found() {
    assert_eq!(in_topic(|topic| topic.push(copy(4))), [0, 0, 0, 1]);
}

#[test]
fn a_number_that_sql_lacks_or_has_twice_is_found() {
    let hole = |tiers: &mut Tiers| drop(tiers.sql.get_mut("7").map(|kept| kept.remove(1)));
    // Not dense; and in the topic and in Redis there is what SQL has not.
    assert_eq!(found(hole), [1, 0, 1, 1]);
    let twice = |tiers: &mut Tiers| {
        if let Some(kept) = tiers.sql.get_mut("7") {
            kept.insert(1, kept[1].clone());
        }
    };
    assert_eq!(found(twice), [0, 1, 0, 0]);
    assert_eq!(found(|tiers| tiers.conflicts = 1), [0, 1, 0, 0]);
}

#[test]
fn what_sql_never_got_from_redis_is_lost() {
    let more = |tiers: &mut Tiers| tiers.redis.push(copy(4));
    assert_eq!(found(more), [1, 0, 0, 0]);
}

#[test]
fn redis_that_contradicts_is_found() {
    let spoils = |tiers: &mut Tiers| tiers.redis[0].1.body["text"] = "another".into();
    assert_eq!(found(spoils), [0, 0, 0, 1]);
    let ages = |tiers: &mut Tiers| tiers.redis[0].1.at += 1;
    assert_eq!(found(ages), [0, 0, 0, 1]);
    // It would give seq 3 once more, or has given one that SQL never gets.
    for head in [2, 4] {
        let heads = Heads::from([("7".into(), head)]);
        assert_eq!(found(|tiers| tiers.heads = heads), [0, 0, 0, 1]);
    }
}

#[test]
fn logs_are_held_against_sql() {
    let mut log = Log { who: ("agent".into(), "9".into()), ..Log::default() };
    let event = |seq: u64, text: &str| {
        let from = json!({ "kind": "visitor", "id": "5" });
        json!({ "conversation": "7", "seq": seq, "from": from, "type": "message", "text": text })
    };
    log.event(&event(1, "line 1"));
    log.event(&event(3, "line 3"));
    let findings = check_tiers(&[log], &sound());
    assert_eq!(findings.lost, 1, "seq 2 was never told: {findings:#?}");
}
