//! Whom the visitor knows, up to which load, and the others.

use super::*;

/// Scores and factors of candidates given as (active, capacity, returning).
fn ranking(config: &str, all: &[(u32, u32, bool)]) -> Ranking {
    let candidate = |(at, &(active, capacity, returning)): (usize, &(u32, u32, bool))| Candidate {
        agent: at as u64 + 1,
        active,
        capacity,
        quality: 0.1 * at as f64,
        idle_ms: 7 * at as u64,
        returning,
    };
    let input = Input {
        now: 0,
        seed: 0,
        conversation: 1,
        site: 1,
        team: 1,
        waited_ms: 0,
        priority: 0,
        needs: vec![],
        candidates: all.iter().enumerate().map(candidate).collect(),
        levels: vec![],
        attrs: vec![],
    };
    let policy = kefu_plugin_sdk::parse_config(config).and_then(ReturningVisitorFirst::configure);
    policy.unwrap().rank(&input).unwrap().unwrap()
}

#[test]
fn whom_the_visitor_knows_comes_first_however_busy() {
    let ranking = ranking("{}", &[(0, 10, false), (9, 10, true), (5, 10, false)]);
    assert_eq!(ranking.factor_names, ["returning", "free"]);
    assert!((ranking.scores[1] - 2.1).abs() < 1e-12 && ranking.scores[0] < 2.0, "{ranking:?}");
    assert_eq!(ranking.factors[..2], [0.0, 1.0]);
}

#[test]
fn up_to_the_load_that_is_set() {
    let all = [(0, 4, false), (2, 4, true)];
    let at = |most| ranking(&format!(r#"{{"most_load":{most}}}"#), &all).scores;
    assert_eq!(at("0.5"), [1.0, 2.5]);
    assert_eq!(at("0.49"), [1.0, 0.5], "too busy: as everybody else");
}

#[test]
fn a_new_visitor_goes_where_most_is_free() {
    assert_eq!(ranking("{}", &[(1, 2, false), (1, 4, false)]).scores, [0.5, 0.75]);
    assert!(ranking("{}", &[]).scores.is_empty());
    assert_eq!(ranking("{}", &[(0, 0, false)]).scores, [1.0], "no capacity, no division");
}

#[test]
fn bad_settings_are_refused_by_name() {
    for (text, word) in [
        (r#"{"most_load":1.5}"#, "most_load: must be 0 to 1"),
        (r#"{"most_load":-0.1}"#, "most_load: must be 0 to 1"),
        (r#"{"least_load":1}"#, "unknown field"),
    ] {
        let refused =
            kefu_plugin_sdk::parse_config(text).and_then(ReturningVisitorFirst::configure);
        assert!(refused.as_ref().is_err_and(|why| why.contains(word)), "{refused:?}");
    }
    let nan = ReturningVisitorFirst::configure(Config { most_load: f64::NAN });
    assert!(nan.is_err());
}
