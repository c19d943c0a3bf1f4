//! The watermark never passes a gap, and forgets nothing but what a new lane makes moot.

use super::*;

fn at(n: u64) -> LogPosition {
    LogPosition { ms: 7, n }
}

fn with(sent: u64) -> Flight {
    let mut flight = Flight::default();
    (1..=sent).for_each(|n| flight.sent(at(n), 100 + n));
    flight
}

#[test]
fn the_watermark_waits_for_the_one_before() {
    let mut flight = with(3);
    assert!(!flight.landed(1));
    assert!(!flight.landed(2));
    assert_eq!((flight.watermark(), flight.oldest()), (LogPosition::START, Some(101)));
    assert!(flight.landed(0));
    assert_eq!((flight.watermark(), flight.len(), flight.oldest()), (at(3), 0, None));
}

#[test]
fn it_stays_before_a_lost_record_for_ever() {
    let mut flight = with(3);
    flight.landed(0);
    flight.failed(1, "too large");
    flight.landed(2);
    assert_eq!((flight.watermark(), flight.failure()), (at(1), Some("too large")));
    flight.restart(at(1));
    assert_eq!((flight.watermark(), flight.failure(), flight.len()), (at(1), None, 0));
}

#[test]
fn reports_on_an_earlier_lane_change_nothing() {
    let mut flight = with(2);
    flight.restart(at(0));
    let number = flight.next();
    flight.sent(at(1), 500);
    assert!(!flight.landed(0));
    flight.failed(1, "late");
    assert_eq!((flight.watermark(), flight.failure()), (at(0), None));
    assert!(flight.landed(number));
    assert!(!flight.landed(number), "a second report is none");
    assert_eq!(flight.watermark(), at(1));
}

/// Whatever order reports come in, the watermark is what a list of all of them says.
#[test]
fn any_order_of_reports_ends_at_the_longest_run() {
    let mut state = 0x9e37_79b9_u64;
    for _ in 0..500 {
        let many = 12;
        let mut flight = with(many);
        let mut left: Vec<usize> = (0..many as usize).collect();
        let mut done = vec![false; many as usize];
        while !left.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = left.swap_remove((state >> 33) as usize % left.len());
            flight.landed(number);
            done[number] = true;
            let run = done.iter().take_while(|done| **done).count() as u64;
            let expected = if run == 0 { LogPosition::START } else { at(run) };
            assert_eq!(flight.watermark(), expected);
        }
    }
}
