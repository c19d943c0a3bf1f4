//! Outages are told when they last, from their first moment, and end when what was away stays.

use super::*;

/// After looks at these moments.
fn after(looks: &[(Millis, bool)]) -> Option<Millis> {
    let look = |doubt: Doubt, (now, good): &(Millis, bool)| doubt.look(*good, *now);
    looks.iter().fold(Doubt::default(), look).out()
}

#[test]
fn an_outage_counts_from_its_first_bad_look_once_it_lasts() {
    assert_eq!(after(&[(0, true), (1000, false), (3000, false)]), None);
    assert_eq!(after(&[(0, true), (1000, false), (3000, false), (4000, false)]), Some(1000));
    assert_eq!(after(&[(0, true), (1000, false), (4000, false), (9000, false)]), Some(1000));
}

#[test]
fn what_comes_back_at_once_was_no_outage() {
    let looks = [(0, false), (2000, false), (2500, true), (3000, false), (5000, false)];
    assert_eq!(after(&looks), None);
}

#[test]
fn an_outage_ends_when_all_is_well_for_as_long() {
    let out = [(0, false), (3000, false)];
    let and = |more: &[(Millis, bool)]| after(&[&out[..], more].concat());
    assert_eq!(and(&[(4000, true), (6000, true)]), Some(0));
    assert_eq!(and(&[(4000, true), (7000, true)]), None);
    // Back for a moment only: the same outage goes on.
    assert_eq!(and(&[(4000, true), (6000, false), (7000, true), (9000, true)]), Some(0));
}
