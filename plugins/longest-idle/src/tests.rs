//! Longer is better, whatever the load; nobody idle at all is no trouble.

use kefu_plugin_sdk::routing::Candidate;

use super::*;

fn scores(idle: &[u64]) -> Vec<f64> {
    let candidate = |(at, &idle_ms): (usize, &u64)| Candidate {
        agent: at as u64 + 1,
        active: at as u32,
        capacity: 9,
        quality: 0.1 * at as f64,
        idle_ms,
        returning: at == 0,
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
        candidates: idle.iter().enumerate().map(candidate).collect(),
        levels: vec![],
        attrs: vec![],
    };
    let ranking = LongestIdle.rank(&input).unwrap().unwrap();
    assert_eq!(ranking.factors, ranking.scores);
    ranking.scores
}

#[test]
fn a_score_is_the_share_of_the_longest() {
    assert_eq!(scores(&[500, 2000, 0, 1000]), [0.25, 1.0, 0.0, 0.5]);
}

#[test]
fn one_more_millisecond_in_a_year_counts() {
    let year = 365 * 86_400_000;
    let scores = scores(&[year, year + 1, year - 1]);
    assert!(scores[1] > scores[0] && scores[0] > scores[2], "{scores:?}");
}

#[test]
fn nobody_and_nobody_idle_are_answered() {
    assert_eq!(scores(&[]), [0.0; 0]);
    assert_eq!(scores(&[0, 0]), [0.0, 0.0], "equal: the host's rule decides");
}

#[test]
fn settings_are_refused() {
    assert!(kefu_plugin_sdk::parse_config::<Config>("").is_ok());
    assert!(kefu_plugin_sdk::parse_config::<Config>(r#"{"idle":1}"#).is_err());
}
