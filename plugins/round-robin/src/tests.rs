//! Whose turn it is, with everybody there and with gaps.

use kefu_plugin_sdk::routing::{Attr, Candidate};

use super::*;

fn input(last: Option<&str>, agents: &[u64]) -> Input {
    let candidate = |&agent| Candidate {
        agent,
        active: 0,
        capacity: 5,
        quality: 0.8,
        idle_ms: 0,
        returning: false,
    };
    let attr = |value: &str| Attr { name: "last_assigned".into(), value: value.into() };
    Input {
        now: 0,
        seed: 0,
        conversation: 1,
        site: 1,
        team: 1,
        waited_ms: 0,
        priority: 0,
        needs: vec![],
        candidates: agents.iter().map(candidate).collect(),
        levels: vec![],
        attrs: last.map(attr).into_iter().collect(),
    }
}

/// The candidates in the order they are asked.
fn order(last: Option<&str>, agents: &[u64]) -> Vec<u64> {
    let ranking = RoundRobin.rank(&input(last, agents)).unwrap().unwrap();
    assert_eq!(ranking.factors, ranking.scores);
    let mut scored: Vec<_> = ranking.scores.iter().zip(agents).collect();
    scored.sort_by(|a, b| b.0.total_cmp(a.0));
    scored.into_iter().map(|(_, agent)| *agent).collect()
}

#[test]
fn next_is_who_comes_after_the_last() {
    for (last, expected) in [
        (None, [2, 5, 9]),
        (Some("2"), [5, 9, 2]),
        (Some("5"), [9, 2, 5]),
        (Some("9"), [2, 5, 9]),
        (Some("18446744073709551615"), [2, 5, 9]),
    ] {
        assert_eq!(order(last, &[5, 9, 2]), expected, "after {last:?}");
    }
}

#[test]
fn who_is_no_candidate_is_passed_over() {
    assert_eq!(order(Some("5"), &[9, 2]), [9, 2], "the last one is full");
    assert_eq!(order(Some("6"), &[5, 9, 2]), [9, 2, 5], "the last one is gone");
    assert_eq!(order(Some("2"), &[2]), [2]);
    assert_eq!(order(Some("2"), &[]), [0; 0]);
}

#[test]
fn everyone_gets_as_many() {
    let agents: Vec<u64> = (0..7).map(|n| 3 + n * n).collect();
    let mut last = None;
    let mut given = Vec::new();
    for _ in 0..21 {
        let next = order(last.as_deref(), &agents)[0];
        last = Some(next.to_string());
        given.push(next);
    }
    assert_eq!(given, agents.repeat(3));
}

#[test]
fn scores_fall_from_one_and_never_to_zero() {
    let agents: Vec<u64> = (1..=1000).collect();
    let scores = RoundRobin.rank(&input(Some("400"), &agents)).unwrap().unwrap().scores;
    assert!((scores[400] - 1.0).abs() < f64::EPSILON);
    assert!(scores.iter().all(|score| *score > 0.0));
    let mut apart = scores;
    apart.sort_by(f64::total_cmp);
    apart.dedup();
    assert_eq!(apart.len(), 1000, "no two have the same turn");
}

#[test]
fn what_is_no_number_is_an_error_and_settings_are_refused() {
    assert!(RoundRobin.rank(&input(Some("li"), &[1])).unwrap_err().contains("`li`"));
    assert!(kefu_plugin_sdk::parse_config::<Config>("{}").is_ok());
    assert!(kefu_plugin_sdk::parse_config::<Config>(r#"{"turn":1}"#).is_err());
}
