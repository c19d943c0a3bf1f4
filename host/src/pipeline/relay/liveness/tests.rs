//! Away after three seconds, back after two canaries and the dwell, and no flapping in between.

use super::*;

const RULES: LivenessRules = LivenessRules { down_after_ms: 3000, canaries: 2, dwell_ms: 5000 };

fn waiting(ms: Millis) -> Seen {
    Seen { oldest_ms: Some(ms), broken: false, asked: true }
}

const LANDED: Seen = Seen { oldest_ms: None, broken: false, asked: true };
const SILENT: Seen = Seen { oldest_ms: None, broken: false, asked: false };

fn after(start: Liveness, looks: &[(Millis, Seen)]) -> Liveness {
    looks.iter().fold(start, |state, (now, seen)| state.look(RULES, *now, *seen))
}

#[test]
fn away_is_more_than_three_seconds_without_landing() {
    assert!(after(Liveness::Up, &[(0, LANDED), (9000, waiting(3000))]).is_up());
    assert_eq!(after(Liveness::Up, &[(9000, waiting(3001))]), Liveness::down(9000));
}

#[test]
fn a_lost_record_is_away_at_once() {
    let lost = Seen { broken: true, ..LANDED };
    assert_eq!(after(Liveness::Up, &[(5, lost)]), Liveness::down(5));
}

#[test]
fn back_needs_two_canaries_and_the_dwell() {
    let one = after(Liveness::down(0), &[(9000, LANDED)]);
    assert_eq!(one, Liveness::Down { since: 0, canaries: 1 });
    assert!(after(one, &[(9001, waiting(1)), (9100, LANDED)]).is_up());
    let early = after(Liveness::down(0), &[(100, LANDED), (200, LANDED), (4999, LANDED)]);
    assert!(!early.is_up(), "{early:?}");
    assert!(after(early, &[(5000, LANDED)]).is_up());
}

#[test]
fn a_late_canary_begins_the_count_again_and_not_the_dwell() {
    let again = after(Liveness::down(0), &[(6000, LANDED), (9999, waiting(3500))]);
    assert_eq!(again, Liveness::down(0));
}

#[test]
fn nothing_asked_is_no_answer() {
    assert_eq!(after(Liveness::down(0), &[(90_000, SILENT), (99_000, SILENT)]), Liveness::down(0));
}

/// A broker that answers every other record late never turns the road more often than once per dwell.
#[test]
fn a_flapping_broker_does_not_flap_the_road() {
    let (mut state, mut turns) = (Liveness::Up, 0);
    for tick in 0..600 {
        let now = tick * 100;
        let seen = if tick % 40 < 35 { LANDED } else { waiting(3001) };
        let next = state.look(RULES, now, seen);
        turns += u32::from(next.is_up() != state.is_up());
        state = next;
    }
    assert!((2..=60_000 / 5000 * 2).contains(&turns), "{turns}");
}
