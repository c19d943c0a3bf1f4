//! Positions as text and in order.

use super::LogPosition;

#[test]
fn a_position_is_text_and_back() {
    let position = LogPosition { ms: 1_764_033_600_000, n: 7 };
    assert_eq!(position.to_string(), "1764033600000-7");
    assert_eq!("1764033600000-7".parse(), Ok(position));
    for wrong in ["", "-", "7", "7-", "-7", "7-x", "7-7-7", "18446744073709551616-0"] {
        assert!(wrong.parse::<LogPosition>().is_err(), "{wrong:?}");
    }
}

#[test]
fn positions_are_in_the_order_of_their_numbers() {
    let at = |text: &str| text.parse::<LogPosition>().unwrap();
    assert!(at("9-0") < at("10-0"), "not as text");
    assert!(at("10-9") < at("10-10"));
    assert!(LogPosition::START < at("0-1"));
}
