//! What a decision reads like.

use serde_json::json;

use super::*;

fn decision() -> Decision {
    let candidate = |agent: &str, active: u32, idle_ms: u64, returning: bool| {
        json!({ "agent": agent, "active": active, "capacity": 5, "quality": 0.8,
            "idle_ms": idle_ms, "returning": returning })
    };
    let ranked = |agent: &str, name: &str, score: f64| json!({ "agent": agent, "name": name, "score": score, "factors": [score, 1200.0] });
    let input = json!({
        "now": 1, "seed": 1, "conversation": "9", "site": "1", "team": "1", "waited_ms": 0,
        "priority": 0, "needs": [], "levels": [], "attrs": [],
        "candidates": [candidate("1", 0, 999, false), candidate("2", 4, 7_300_000, true)],
    });
    serde_json::from_value(json!({
        "version": 1, "id": "5", "at": 1_764_320_400_500_u64, "conversation": "9", "site": "1",
        "team": "1", "input": input,
        "excluded": [["3", "Wu", "not_online"], ["4", "Lin", "at_capacity"], ["6", "Bo", "not_online"]],
        "ranked": [ranked("1", "李雷", 1.0), ranked("2", "Han", 0.5)],
        "factor_names": ["turn", "points"], "passed": [["1", "at_capacity"]], "chosen": "2",
        "generation": "77", "digest": "ab", "outcome": "answered", "fuel": 1234, "micros": 8,
    }))
    .unwrap()
}

fn policies() -> Vec<Policy> {
    serde_json::from_value(json!([
        { "generation": "77", "number": 2, "name": "round-robin", "version": "0.1.0" },
    ]))
    .unwrap()
}

#[test]
fn a_decision_names_everyone_with_the_reason() {
    let decision = decision();
    assert_eq!(heading(&decision).unwrap(), "2025-11-28T09:00:00Z: given to Han");
    let expected = [
        "  by round-robin 0.1.0 (routing/2), in 8 µs with 1234 fuel",
        "    score  turn   points  has   idle",
        "     1.00  1.00  1200.00  0/5  999ms  李雷: passed over, at capacity by then",
        "     0.50  0.50  1200.00  4/5     2h  Han: got it; answered this visitor last time",
        "  left out, at capacity: Lin",
        "  left out, not online: Wu, Bo",
    ];
    assert_eq!(lines(&decision, &policies()), expected);
}

#[test]
fn who_decided_is_said_also_when_it_was_no_policy() {
    let mut decision = decision();
    assert!(decider(&decision, &[]).contains("no longer here (77)"));
    decision.generation = None;
    for (outcome, words) in [
        (Outcome::NoOpinion, "no opinion"),
        (Outcome::Error, "an error"),
        (Outcome::Fault, "exceeded its budget"),
        (Outcome::Absent, "no policy served"),
    ] {
        decision.outcome = outcome;
        let said = decider(&decision, &policies());
        assert!(said.starts_with("by the built-in rule") && said.contains(words), "{said}");
    }
    decision.chosen = None;
    assert!(heading(&decision).unwrap().ends_with("given to nobody"));
}

#[test]
fn where_nothing_was_decided_the_reason_is_said() {
    let said = |state: &str, name: Option<&str>, offline: bool| {
        undecided(&json!({ "state": state, "agent_name": name, "offline": offline }))
    };
    assert!(said("waiting", None, true).contains("left for later"));
    assert!(said("waiting", None, false).contains("nobody who may answer"));
    assert_eq!(said("active", Some("Li"), false), "Li took it by hand");
    assert_eq!(said("closed", Some("Li"), false), "Li took it by hand");
    assert!(said("closed", None, false).contains("before anybody had it"));
}

#[test]
fn what_came_after_the_last_decision_is_said() {
    let now = json!({ "state": "active", "agent": "3", "agent_name": "Wu" });
    assert_eq!(since(&now, AgentId::new(3)), None);
    assert!(since(&now, AgentId::new(2)).is_some_and(|said| said.contains("Wu got it by hand")));
    assert_eq!(since(&json!({ "state": "waiting", "agent": null }), AgentId::new(2)), None);
    assert_eq!(stands(&now), "Wu has it");
}

#[test]
fn times_are_in_their_largest_unit() {
    let said = [0, 999, 1000, 59_999, 60_000, 7_200_000, 172_799_999, 172_800_000].map(span);
    assert_eq!(said, ["0ms", "999ms", "1s", "59s", "1m", "2h", "1d", "2d"].map(String::from));
}
