//! The further shipped policies as components, in the order in which the host then asks the candidates.

use super::*;
use crate::domain::routing::order;

/// Who is asked in which order, by a policy with a config, and why: the names of its factors.
async fn ranked(name: &str, config: &str, input: &RoutingInput) -> (Vec<u64>, Vec<String>) {
    let world = world().await;
    world.serve(with(component(&format!("plugins/{name}")), config)).await;
    let answer = world.plugins.rank(input);
    let again = world.plugins.rank(input);
    assert_eq!((&again.value, again.fuel), (&answer.value, answer.fuel), "{name} is not pure");
    let ranking = answer.value.unwrap_or_else(|| panic!("{name}: {:?}", answer.detail));
    let places = order(&input.candidates, &ranking.scores);
    (places.iter().map(|at| input.candidates[*at].agent.get()).collect(), ranking.factor_names)
}

/// Agents 1 to 4: (active, capacity, idle ms, knows the visitor).
fn four(attrs: &[(&str, &str)]) -> RoutingInput {
    let four = [(3, 10, 500, false), (1, 2, 100, false), (2, 2, 900, false), (4, 5, 700, true)];
    let candidate = |(at, &(active, capacity, idle_ms, returning))| Candidate {
        agent: AgentId::new(at).unwrap(),
        active,
        capacity,
        quality: 0.8,
        idle_ms,
        returning,
    };
    RoutingInput {
        candidates: (1..).zip(&four).map(candidate).collect(),
        needs: Vec::new(),
        levels: Vec::new(),
        attrs: attrs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..input(0)
    }
}

#[tokio::test]
async fn each_further_policy_ranks_by_its_rule() {
    let (none, turn) = (four(&[]), four(&[("last_assigned", "2")]));
    for (name, config, input, expected, factors) in [
        ("round-robin", "{}", &none, [1, 2, 3, 4], vec!["turn"]),
        ("round-robin", "{}", &turn, [3, 4, 1, 2], vec!["turn"]),
        ("least-busy", "{}", &none, [2, 3, 1, 4], vec!["few"]),
        ("least-busy", r#"{"by":"share"}"#, &none, [1, 2, 4, 3], vec!["free"]),
        ("longest-idle", "{}", &none, [3, 4, 1, 2], vec!["idle"]),
        ("returning-visitor-first", "{}", &none, [4, 1, 2, 3], vec!["returning", "free"]),
        (
            "returning-visitor-first",
            r#"{"most_load":0.5}"#,
            &none,
            [1, 2, 4, 3],
            vec!["returning", "free"],
        ),
    ] {
        let (order, names) = ranked(name, config, input).await;
        assert_eq!(order, expected, "{name} {config}");
        assert_eq!(names, factors, "{name} {config}");
    }
}

#[tokio::test]
async fn each_further_policy_carries_its_schema() {
    let world = world().await;
    for (name, config, words) in [
        ("round-robin", r#"{"turn":1}"#, "'turn' was unexpected"),
        ("longest-idle", r#"{"idle":1}"#, "'idle' was unexpected"),
        ("least-busy", r#"{"by":"mood"}"#, "config: /by: "),
        ("returning-visitor-first", r#"{"most_load":2}"#, "config: /most_load: "),
    ] {
        let refused = world.refused(with(component(&format!("plugins/{name}")), config)).await;
        assert!(refused.contains(words), "{refused}");
    }
}
