//! The formula, its edges, and which configs are refused.

use super::*;

fn candidate(agent: u64, active: u32, capacity: u32, quality: f64) -> Candidate {
    Candidate { agent, active, capacity, quality, idle_ms: 0, returning: false }
}

fn input(needs: Vec<Need>, candidates: Vec<Candidate>, levels: Vec<u8>) -> Input {
    Input {
        now: 0,
        seed: 0,
        conversation: 1,
        site: 1,
        team: 1,
        waited_ms: 0,
        priority: 0,
        needs,
        candidates,
        levels,
        attrs: vec![],
    }
}

#[test]
fn the_score_is_the_weighted_sum() {
    let router = WeightedRouter::configure(Config::default()).unwrap();
    let needs = vec![
        Need { skill: 0, level: 4, required: true },
        Need { skill: 1, level: 2, required: false },
    ];
    let given =
        input(needs, vec![candidate(1, 1, 4, 0.5), candidate(2, 0, 2, 1.0)], vec![5, 1, 4, 0]);
    let ranking = router.rank(&given).unwrap().unwrap();
    let first = 0.3 * 0.75 + 0.4 * 0.75 + 0.3 * 0.5;
    let second = 0.3 * 0.5 + 0.4 + 0.3;
    assert!((ranking.scores[0] - first).abs() < 1e-12);
    assert!((ranking.scores[1] - second).abs() < 1e-12);
    assert_eq!(ranking.factors, [0.75, 0.75, 0.5, 0.5, 1.0, 1.0]);
}

#[test]
fn without_needs_skill_is_full_and_overload_is_no_less_than_zero() {
    let router = WeightedRouter::configure(Config::default()).unwrap();
    let ranking = router.rank(&input(vec![], vec![candidate(1, 9, 0, 7.0)], vec![])).unwrap();
    assert_eq!(ranking.unwrap().factors, [1.0, 0.0, 1.0]);
}

#[test]
fn bad_weights_are_refused_by_name() {
    for (text, word) in [
        (r#"{"skill": 0.5}"#, "must be 1"),
        (r#"{"load": -0.4, "skill": 1.1}"#, "skill: must be 0 to 1"),
        (r#"{"lode": 0.4}"#, "unknown field"),
        ("[", "EOF"),
    ] {
        let refused =
            kefu_plugin_sdk::parse_config(text).and_then(WeightedRouter::configure).unwrap_err();
        assert!(refused.contains(word), "{refused}");
    }
}

#[test]
fn levels_of_the_wrong_shape_are_an_error() {
    let router = WeightedRouter::configure(Config::default()).unwrap();
    assert!(router.rank(&input(vec![], vec![candidate(1, 0, 1, 1.0)], vec![3])).is_err());
}
