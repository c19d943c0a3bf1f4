//! What a seed makes.

use super::*;

#[test]
fn the_same_seed_does_the_same_again() {
    assert_eq!(Mix::of(7, 10, 1000), Mix::of(7, 10, 1000));
    assert_ne!(Mix::of(7, 10, 1000), Mix::of(8, 10, 1000));
    // Written down once: a seed of yesterday's is worth something today.
    let begun = "KEFU_SEED=7, ";
    assert!(Mix::of(7, 1, 1000).to_string().starts_with(begun));
}

#[test]
fn everything_that_begins_ends_and_nodes_come_back_last() {
    for seed in 0..200 {
        let mix = Mix::of(seed, 5, 1000);
        let mut going_on: Vec<Fault> = Vec::new();
        for step in &mix.steps {
            match *step {
                Step::Wait(long) => assert!(long <= Duration::from_secs(1)),
                Step::Begin(fault) => {
                    assert!(!going_on.iter().any(|other| other.meets(fault)), "{mix}");
                    going_on.push(fault);
                }
                Step::End(fault) => {
                    going_on.retain(|other| *other != fault);
                    let node = matches!(fault, Fault::NodeDies(_));
                    let others = |other: &Fault| !matches!(other, Fault::NodeDies(_));
                    assert!(!node || !going_on.iter().any(others), "{mix}");
                }
            }
        }
        assert!(going_on.is_empty(), "{mix}");
    }
}

#[test]
fn every_kind_of_fault_comes_up() {
    let mix = Mix::of(1, 300, 1000);
    let begun = |fault: Fault| mix.steps.contains(&Step::Begin(fault));
    assert!((0..NODES).all(|node| begun(Fault::NodeDies(node))));
    assert!((0..NODES).all(|node| begun(Fault::NodeSleeps(node))));
    assert!(Vendor::ALL.into_iter().all(|vendor| begun(Fault::Dies(vendor))));
    for how in Break::ALL {
        assert!(
            Vendor::ALL.into_iter().all(|to| (0..NODES).all(|n| begun(Fault::Link(n, to, how))))
        );
    }
}
