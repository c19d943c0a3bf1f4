//! Windows widen over silence, narrow over crowds, and end.

use super::*;

#[test]
fn windows_fit_what_is_there() {
    assert_eq!(adapt(1000, 0), Ok(2000));
    assert_eq!(adapt(WIDEST_MS, 0), Ok(WIDEST_MS));
    assert_eq!(adapt(1000, 5000), Ok(1000));
    assert_eq!(adapt(1000, PAGE), Err(250));
    assert_eq!(adapt(1, PAGE), Ok(1), "a millisecond is not divided");
}
