//! The bucket gives its burst, then its rate, and gains nothing from a clock that goes back.

use super::{Bucket, Rate};

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
