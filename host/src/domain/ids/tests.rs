//! Ids and keys survive the way to text and back, and refuse what they are not.

use super::{AgentId, BadId, BadKey, ClientKey};

#[test]
fn ids_go_round() {
    for number in [1, 42, 1 << 53, (1 << 53) + 1, i64::MAX as u64] {
        let id = AgentId::new(number).unwrap();
        assert_eq!(id.get(), number);
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{number}\""));
        assert_eq!(serde_json::from_str::<AgentId>(&json).unwrap(), id);
    }
}

#[test]
fn what_is_no_id_is_refused() {
    assert_eq!(AgentId::new(0), None);
    assert_eq!(AgentId::new(1 << 63), None);
    for text in ["", "0", "-1", "1.5", "x", "9223372036854775808"] {
        assert_eq!(text.parse::<AgentId>(), Err(BadId), "{text:?}");
    }
    assert!(serde_json::from_str::<AgentId>("7").is_err(), "a bare number lost digits already");
}

#[test]
fn keys_are_short_printable_ascii() {
    let longest = "x".repeat(64);
    for text in ["a", "c1-0", "~!", longest.as_str()] {
        assert_eq!(text.parse::<ClientKey>().unwrap().as_str(), text);
    }
    let too_long = "x".repeat(65);
    for text in ["", "a b", "é", "\n", too_long.as_str()] {
        assert_eq!(text.parse::<ClientKey>(), Err(BadKey), "{text:?}");
    }
}
