//! The formats as they are written, byte for byte.

use serde_json::json;

use super::*;

const ROW: &str =
    r#"["77", 12, 1764033600000, 1, "42", "k7", "{\"type\":\"message\",\"text\":\"a\\nb 你好\"}"]"#;
const LINE: &str = r#"1 12 1764033600000 77 v42 k7 {"type":"message","text":"a\nb 你好"}"#;
const VALUE: &str = r#"{"format":1,"conversation":"77","seq":12,"at":1764033600000,"from":{"kind":"visitor","id":"42"},"key":"k7","type":"message","text":"a\nb 你好"}"#;

#[test]
fn an_event_reads_the_same_from_everywhere() -> anyhow::Result<()> {
    let kept = Kept {
        seq: 12,
        at: 1_764_033_600_000,
        from: ("visitor".into(), "42".into()),
        key: "k7".into(),
        body: json!({ "type": "message", "text": "a\nb 你好" }),
    };
    let copy = ("77".to_owned(), kept);
    assert_eq!(row(ROW)?, copy);
    assert_eq!(line(LINE)?, copy);
    assert_eq!(entry(Some(b"1"), Some(b"77"), VALUE.as_bytes())?, copy);
    Ok(())
}

#[test]
fn the_systems_events_have_no_key_anywhere() -> anyhow::Result<()> {
    let of_sql = row(r#"["77", 2, 5, 0, "0", "", "{\"type\":\"queued\",\"cause\":\"opened\"}"]"#)?;
    assert_eq!(who(2, "9"), ("agent".into(), "9".into()));
    let of_redis = line(r#"1 2 5 77 s c1-0 {"type":"queued","cause":"opened"}"#)?;
    let json = r#"{"format":1,"conversation":"77","seq":2,"at":5,"from":{"kind":"system"},"type":"queued","cause":"opened"}"#;
    let of_kafka = value(json.as_bytes())?;
    assert_eq!(of_sql, of_redis);
    assert_eq!(of_sql, of_kafka);
    Ok(())
}

#[test]
fn what_is_no_event_is_refused() {
    for text in ["", "2 1 1 7 s k {}", "1 1 1 7 x9 k {}", "1 x 1 7 s k {}", "1 1 1 7 s k"] {
        assert!(line(text).is_err(), "{text}");
    }
    for json in ["", "[]", r#"{"format":2}"#, r#"{"format":1,"conversation":"7"}"#] {
        assert!(value(json.as_bytes()).is_err(), "{json}");
    }
    let newer = VALUE.replace(r#""format":1"#, r#""format":2"#);
    assert!(value(newer.as_bytes()).is_err(), "{newer}");
    for (format, key) in [("", "77"), ("2", "77"), ("1", "78"), ("1", "")] {
        let said = |text: &'static str| (!text.is_empty()).then_some(text.as_bytes());
        assert!(entry(said(format), said(key), VALUE.as_bytes()).is_err(), "{format:?} {key:?}");
    }
    assert!(heads("7 3\n8").is_err() && heads("7 x").is_err());
    assert_eq!(heads("7 3\n8 1").unwrap(), Heads::from([("7".into(), 3), ("8".into(), 1)]));
}
