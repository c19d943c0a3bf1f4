//! The bucket gives its burst, then its rate, and gains nothing from a clock that goes back. Many of them have a bound.

use super::{Bucket, Buckets, Rate, network};

const RATE: Rate = Rate { per_second: 2.0, burst: 3.0 };

#[test]
fn burst_then_rate() {
    let mut bucket = Bucket::full(RATE, 1000);
    for _ in 0..3 {
        assert_eq!(bucket.take(RATE, 1000), Ok(()));
    }
    assert_eq!(bucket.take(RATE, 1000), Err(500));
    assert_eq!(bucket.take(RATE, 1250), Err(250));
    assert_eq!(bucket.take(RATE, 1500), Ok(()));
    assert_eq!(bucket.take(RATE, 1500), Err(500));
}

#[test]
fn never_more_than_the_burst() {
    let mut bucket = Bucket::full(RATE, 0);
    for _ in 0..3 {
        assert_eq!(bucket.take(RATE, 1_000_000), Ok(()));
    }
    assert!(bucket.take(RATE, 1_000_000).is_err());
}

#[test]
fn a_clock_that_goes_back_gains_nothing() {
    let mut bucket = Bucket::full(RATE, 10_000);
    for _ in 0..3 {
        assert_eq!(bucket.take(RATE, 10_000), Ok(()));
    }
    assert!(bucket.take(RATE, 0).is_err());
    assert!(bucket.take(RATE, 10_000).is_err());
}

#[test]
fn when_there_are_too_many_the_oldest_are_forgotten_and_who_goes_on_is_not() {
    let mut buckets = Buckets::new(100);
    let once = Rate { per_second: 0.001, burst: 1.0 };
    assert_eq!(buckets.take(0, once, 0), Ok(()));
    for key in 1..1000_u32 {
        let now = u64::from(key);
        assert_eq!(buckets.take(key, once, now), Ok(()));
        assert!(buckets.take(0, once, now).is_err(), "{key} addresses freed who is slowed down");
        assert!(buckets.buckets.len() <= 100, "{} of 100", buckets.buckets.len());
    }
    assert!(buckets.take(999, once, 1000).is_err(), "the newest is remembered");
    assert_eq!(buckets.take(1, once, 1000), Ok(()), "the oldest is forgotten");
    buckets.forget(&999);
    assert_eq!(buckets.take(999, once, 1000), Ok(()));
}

#[test]
fn of_many_of_one_moment_half_are_kept() {
    let mut buckets = Buckets::new(100);
    let once = Rate { per_second: 0.001, burst: 1.0 };
    for key in 0..=100_u32 {
        assert_eq!(buckets.take(key, once, 7), Ok(()));
    }
    assert_eq!(buckets.buckets.len(), 51);
}

#[test]
fn an_ipv6_customer_is_one_and_an_ipv4_address_is_one() {
    let of = |text: &str| network(text.parse().unwrap()).to_string();
    assert_eq!(of("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::");
    assert_eq!(of("2001:db8:1:2:bbbb:cccc::2"), of("2001:db8:1:2::"));
    assert_ne!(of("2001:db8:1:3::1"), of("2001:db8:1:2::1"));
    assert_eq!(of("192.0.2.7"), "192.0.2.7");
    assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7", "and not all of IPv4 at once");
}
