//! Lines as Redis keeps them; the embedded stream's own tests hold the bytes of bodies.

use super::*;

#[test]
fn line_format_1_is_read_for_ever() {
    // Bytes as version 0.1 wrote them. Never edit a line; add new formats below.
    let written = [
        r#"1 12 1764033600000 77 v42 k7 {"type":"message","text":"hi there 你好"}"#,
        r#"1 1 1764033600000 77 a3 !~ {"type":"note","text":"a\nb"}"#,
        r#"1 9007199254740993 1 9223372036854775807 s c1-0 {"type":"queued","cause":"opened"}"#,
    ];
    for line in written {
        let read = event(line.as_bytes()).unwrap();
        let key = line.split(' ').nth(5).unwrap();
        assert_eq!(read.key.is_none(), read.from == Party::System);
        let new = NewEvent {
            conversation: read.conversation,
            from: read.from,
            key: key.parse().unwrap(),
            body: read.body,
        };
        let rest = String::from_utf8(rest(&new).unwrap()).unwrap();
        let again = format!("{FORMAT} {} {} {rest}", read.seq, read.at);
        assert_eq!(again, line, "and written the same way");
    }
}

#[test]
fn a_bad_line_says_what_is_wrong() {
    let cases = [
        ("", "format"),
        ("x 1 1 7 s k {}", "format"),
        ("1 -1 1 7 s k {}", "seq"),
        ("1 1 1 0 s k {}", "conversation"),
        ("1 1 1 7 x9 k {}", "sender"),
        ("1 1 1 7 s9 k {}", "sender"),
        ("1 1 1 7 s k", "body"),
        ("1 1 1 7 s k {}", "type"),
        (r#"2 1 1 7 s k {"type":"note","text":""}"#, "format 2"),
    ];
    for (line, word) in cases {
        let why = event(line.as_bytes()).unwrap_err().to_string();
        assert!(why.contains(word), "{line:?}: {why}");
    }
}
