//! Once, in order, without a hole, whatever two ways bring.

use super::*;

fn at(n: u64) -> LogPosition {
    LogPosition { ms: 1, n }
}

#[test]
fn two_ways_at_once_let_everything_through_once_and_in_order() {
    let mut state = 7_u64;
    for _ in 0..300 {
        let mut gate = Gate::new(at(10), Some(5));
        // The journal repeats itself now and then, as after a takeover.
        let journal: Vec<u64> = (6..=40).chain(30..=60).chain(55..=100).collect();
        let log: Vec<u64> = (11..=100).collect();
        let (mut from_journal, mut from_log) = (journal.iter().enumerate(), log.iter());
        let mut passed = Vec::new();
        loop {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let next = match state >> 63 {
                0 => from_journal.next().map(|(index, n)| {
                    assert!(gate.follows(5 + index as i64));
                    *n
                }),
                _ => from_log.next().copied(),
            };
            match next {
                Some(n) if gate.pass(at(n)) => passed.push(n),
                Some(_) => {}
                None if from_journal.len() + from_log.len() == 0 => break,
                None => {}
            }
        }
        assert_eq!(passed, (11..=100).collect::<Vec<_>>());
    }
}

#[test]
fn a_journal_that_skips_is_astray_until_it_goes_on_where_it_was() {
    let mut gate = Gate::new(at(10), Some(5));
    assert!(gate.follows(5) && !gate.is_astray());
    assert!(!gate.follows(9) && gate.is_astray(), "6, 7 and 8 are gone");
    assert!(!gate.follows(10) && gate.is_astray());
    assert!(gate.follows(6) && !gate.is_astray());
}

#[test]
fn a_topic_made_anew_is_read_from_its_beginning() {
    let mut gate = Gate::new(at(10), Some(5));
    assert!(gate.follows(0) && gate.follows(1) && !gate.follows(3));
    let mut new = Gate::new(at(0), None);
    assert!(new.follows(77) && new.follows(78), "whatever is the first");
}
