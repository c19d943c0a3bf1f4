//! Warm-ups are due by people's clocks: over weekends, changes of summer time, and for ever.

use super::*;

const MINUTE: Millis = 60_000;
const WORKDAYS: [bool; 7] = [true, true, true, true, true, false, false];

fn opening(zone: &str, days: [bool; 7], at: (i8, i8)) -> Opening {
    Opening { zone: TimeZone::get(zone).unwrap(), days, at }
}

fn ms(text: &str) -> Millis {
    text.parse::<Timestamp>().unwrap().as_millisecond().cast_unsigned()
}

/// What is due after `now`, as text in UTC.
fn due(opening: &Opening, now: &str, minutes: u64) -> String {
    let next = opening.next(ms(now), minutes * MINUTE).unwrap();
    Timestamp::from_millisecond(next.cast_signed()).unwrap().to_string()
}

#[test]
fn it_is_due_so_many_minutes_before_opening_by_the_zones_clock() {
    let shop = opening("Asia/Shanghai", WORKDAYS, (9, 0));
    // Wednesday, 06:00 in Shanghai.
    assert_eq!(due(&shop, "2026-11-24T22:00:00Z", 15), "2026-11-25T00:45:00Z");
    // What is due at this very moment is done: the next one is tomorrow's.
    assert_eq!(due(&shop, "2026-11-25T00:45:00Z", 15), "2026-11-26T00:45:00Z");
    // Between the warm-up and the opening it is too late for today.
    assert_eq!(due(&shop, "2026-11-25T00:50:00Z", 15), "2026-11-26T00:45:00Z");
}

#[test]
fn a_weekend_is_left_out() {
    let shop = opening("Asia/Shanghai", WORKDAYS, (9, 0));
    // Friday, 10:00 in Shanghai.
    assert_eq!(due(&shop, "2026-11-27T02:00:00Z", 15), "2026-11-30T00:45:00Z");
    let only_sunday = [false, false, false, false, false, false, true];
    let fair = opening("UTC", only_sunday, (12, 0));
    assert_eq!(due(&fair, "2026-11-29T12:00:00Z", 0), "2026-12-06T12:00:00Z");
}

#[test]
fn minutes_before_may_reach_into_the_day_before() {
    let night = opening("UTC", WORKDAYS, (0, 5));
    // Sunday evening, for Monday's opening.
    assert_eq!(due(&night, "2026-11-29T20:00:00Z", 30), "2026-11-29T23:35:00Z");
}

#[test]
fn summer_time_moves_it_with_the_clocks_on_the_wall() {
    let berlin = opening("Europe/Berlin", [true; 7], (9, 0));
    // 2026-03-29: clocks go from 02:00 to 03:00.
    assert_eq!(due(&berlin, "2026-03-28T12:00:00Z", 0), "2026-03-29T07:00:00Z");
    assert_eq!(due(&berlin, "2026-03-27T12:00:00Z", 0), "2026-03-28T08:00:00Z");
    // 2026-10-25: back from 03:00 to 02:00.
    assert_eq!(due(&berlin, "2026-10-24T12:00:00Z", 0), "2026-10-25T08:00:00Z");
    // The warm-up for 03:30 lies before the change, the opening after it: an hour by the clock that ticks.
    let early = opening("Europe/Berlin", [true; 7], (3, 30));
    assert_eq!(due(&early, "2026-03-29T00:00:00Z", 60), "2026-03-29T00:30:00Z");
}

#[test]
fn an_hour_that_is_not_there_or_there_twice_is_one_opening() {
    let berlin = opening("Europe/Berlin", [true; 7], (2, 30));
    // 02:30 does not exist on that night: 03:30 summer time.
    assert_eq!(due(&berlin, "2026-03-28T12:00:00Z", 0), "2026-03-29T01:30:00Z");
    assert_eq!(due(&berlin, "2026-03-29T01:30:00Z", 0), "2026-03-30T00:30:00Z");
    // 02:30 comes twice: the first one, and then the next day's.
    assert_eq!(due(&berlin, "2026-10-24T12:00:00Z", 0), "2026-10-25T00:30:00Z");
    assert_eq!(due(&berlin, "2026-10-25T00:30:00Z", 0), "2026-10-26T01:30:00Z");
}

#[test]
fn there_is_always_a_next_one_and_it_is_later() {
    let shop = opening("America/New_York", WORKDAYS, (2, 15));
    let mut now = ms("2026-01-01T00:00:00Z");
    let mut many = 0;
    while now < ms("2028-01-01T00:00:00Z") {
        let next = shop.next(now, 20 * MINUTE).unwrap();
        assert!(next > now && next - now <= 4 * 24 * 60 * MINUTE, "after {now}: {next}");
        (now, many) = (next, many + 1);
    }
    // 522 working days in the two years, and the one that ends the loop.
    assert_eq!(many, 522 + 1);
}
