//! Each way of misbehaving ends as a fault, the host goes on, and repeated faults quarantine.

use super::engine::{Limits, Runner};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_misdeed_is_a_fault_and_quarantines() {
    let world = world().await;
    for (name, words) in [
        ("loop", "fuel"),
        // Not by fuel: memory, and the room for its stack in there, end first.
        ("allocate", "unreachable"),
        ("trap", "unreachable"),
        ("recurse", "out of bounds"),
        ("descend", "call stack exhausted"),
        ("nan", "finite"),
        ("infinite", "finite"),
        ("negative_infinite", "finite"),
        ("long", "4 scores for 3"),
        ("short", "2 scores for 3"),
        ("factors", "do not fill"),
        ("many_factors", "9 factors"),
        ("nan_factor", "finite"),
        ("long_name", "name is longer"),
    ] {
        let row = world.serve(deed(name)).await;
        for _ in 0..3 {
            let answer = world.plugins.rank(&input(3));
            let detail = answer.detail.unwrap_or_default();
            assert_eq!(answer.outcome, Outcome::Fault, "{name}: {detail}");
            assert!(detail.contains(words), "{name}: {detail}");
            assert_eq!(detail.contains("fuel"), name == "loop", "{name}: {detail}");
            assert_eq!(answer.generation, Some(row.id));
        }
        world.comes_to(row.id, Stage::Quarantined).await;
        assert_eq!(world.plugins.rank(&input(3)).outcome, Outcome::Absent, "{name}");
    }
}

#[tokio::test]
async fn an_error_and_no_opinion_are_no_faults() {
    let world = world().await;
    for (name, outcome) in [("error", Outcome::Error), ("no_opinion", Outcome::NoOpinion)] {
        let row = world.serve(deed(name)).await;
        for _ in 0..10 {
            assert_eq!(world.plugins.rank(&input(3)).outcome, outcome);
        }
        assert_eq!(world.stage(row.id).await, Stage::Active);
    }
}

#[tokio::test]
async fn wall_time_ends_what_fuel_does_not() {
    let world = world_with(u64::MAX >> 1, 1_000).await;
    world.serve(deed("loop")).await;
    let begun = Instant::now();
    let answer = world.plugins.rank(&input(3));
    let (took, detail) = (begun.elapsed(), answer.detail.unwrap_or_default());
    assert_eq!(answer.outcome, Outcome::Fault);
    assert!(detail.contains("interrupt"), "{detail}");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn memory_is_bounded_in_total_over_generations() {
    let config =
        PluginsConfig { total_memory_mb: 32, instance_memory_mb: 16, ..PluginsConfig::default() };
    let runner = Runner::new(&config).unwrap();
    let generations: Vec<_> =
        (0..2).map(|_| runner.load(&component("plugin-tests/hostile")).unwrap()).collect();
    let limits = Limits { fuel: u64::MAX >> 1, deadline_ms: 60_000, memory_mb: 16 };
    let start = |n: usize| runner.start(&generations[n], r#"{"deed":"hoard"}"#, limits);
    let (one, _two) = (start(0).unwrap().unwrap(), start(1).unwrap().unwrap());
    assert!(start(0).is_err(), "a third one of 13 MiB fits into 32");
    assert!(start(1).is_err());
    drop(one);
    assert!(start(1).unwrap().is_ok(), "the memory came back");
}

#[test]
fn memory_is_bounded_for_each_instance() {
    let limits = Limits { fuel: u64::MAX >> 1, deadline_ms: 60_000, memory_mb: 16 };
    for (instance_memory_mb, fits) in [(16, true), (8, false)] {
        let config = PluginsConfig { instance_memory_mb, ..PluginsConfig::default() };
        let runner = Runner::new(&config).unwrap();
        let generation = runner.load(&component("plugin-tests/hostile")).unwrap();
        let started = runner.start(&generation, r#"{"deed":"hoard"}"#, limits);
        assert_eq!(started.is_ok(), fits, "12 MiB in {instance_memory_mb}");
    }
}

#[tokio::test]
async fn an_instance_that_trapped_is_never_used_again() {
    let world = world().await;
    world.serve(deed("count")).await;
    let calls = |seed| {
        let answer = world.plugins.rank(&RoutingInput { seed, ..input(1) });
        answer.value.map(|ranking| ranking.scores[0])
    };
    let before = calls(1).unwrap();
    assert_eq!(calls(1), Some(before + 1.0), "a warm instance is used again");
    assert_eq!(calls(666), None);
    assert_eq!(calls(1), Some(1.0), "a fresh one");
}

#[tokio::test]
async fn faults_far_apart_do_not_quarantine() {
    let world = world().await;
    let row = world.serve(deed("count")).await;
    for _ in 0..6 {
        assert_eq!(
            world.plugins.rank(&RoutingInput { seed: 666, ..input(1) }).outcome,
            Outcome::Fault
        );
        for _ in 0..16 {
            assert_eq!(world.plugins.rank(&input(1)).outcome, Outcome::Answered);
        }
    }
    assert_eq!(world.stage(row.id).await, Stage::Active);
    let stats = &world.plugins.stats()[0].served[0];
    assert_eq!((stats.calls, stats.faults, stats.answered), (102, 6, 96));
}
