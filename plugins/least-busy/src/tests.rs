//! Both measures, and where they differ.

use super::*;

fn ranking(config: &str, loads: &[(u32, u32)]) -> Ranking {
    let candidate = |(at, &(active, capacity)): (usize, &(u32, u32))| Candidate {
        agent: at as u64 + 1,
        active,
        capacity,
        quality: 0.1 * at as f64,
        idle_ms: 7 * at as u64,
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
        candidates: loads.iter().enumerate().map(candidate).collect(),
        levels: vec![],
        attrs: vec![],
    };
    let policy = kefu_plugin_sdk::parse_config(config).and_then(LeastBusy::configure).unwrap();
    let ranking = policy.rank(&input).unwrap().unwrap();
    assert_eq!(ranking.factors, ranking.scores);
    ranking
}

#[test]
fn by_conversations_the_capacity_does_not_matter() {
    for config in ["{}", r#"{"by":"conversations"}"#] {
        let ranking = ranking(config, &[(3, 4), (1, 2), (0, 1), (3, 100)]);
        assert_eq!(ranking.scores, [0.25, 0.5, 1.0, 0.25]);
        assert_eq!(ranking.factor_names, ["few"]);
    }
}

#[test]
fn by_share_it_does() {
    let ranking = ranking(r#"{"by":"share"}"#, &[(3, 4), (1, 2), (0, 1), (25, 100)]);
    assert_eq!(ranking.scores, [0.25, 0.5, 1.0, 0.75]);
    assert_eq!(ranking.factor_names, ["free"]);
}

#[test]
fn equals_are_left_to_the_host() {
    let scores = ranking("{}", &[(2, 5), (2, 9)]).scores;
    assert_eq!(scores[0].to_bits(), scores[1].to_bits());
    assert!(ranking("{}", &[]).scores.is_empty());
    assert_eq!(ranking(r#"{"by":"share"}"#, &[(0, 0)]).scores, [1.0], "no capacity, no division");
}

#[test]
fn another_measure_is_refused() {
    for text in [r#"{"by":"mood"}"#, r#"{"buy":"share"}"#] {
        assert!(kefu_plugin_sdk::parse_config::<Config>(text).is_err(), "{text}");
    }
}
