//! Folding, and the way back.

use super::{Folded, word};

#[test]
fn disguises_fall_away_and_places_are_bytes_of_the_original() {
    for (text, looked_for, there) in [
        ("我的ＶＸ号", "vx", Some("ＶＸ")),
        ("a v\u{200b}\u{2060}X!", "vx", Some("v\u{200b}\u{2060}X")),
        ("DON\u{2019}T", "don't", Some("DON\u{2019}T")),
        ("Grüß GOTT", "gott", Some("GOTT")),
        ("退\u{fe0f}款", "退款", Some("退\u{fe0f}款")),
        ("say\u{a0}no", "say no", Some("say\u{a0}no")),
        ("", "x", None),
        ("x", "", None),
    ] {
        let folded = Folded::new(text);
        let place = folded.find(&word(looked_for));
        assert_eq!(place.map(|(first, last)| &text[folded.bytes(first, last)]), there, "{text}");
    }
}

#[test]
fn latin_words_stand_alone_and_chinese_words_anywhere() {
    let holds = |text: &str, looked_for: &str| Folded::new(text).find(&word(looked_for)).is_some();
    assert!(!holds("this", "hi") && !holds("hip", "hi") && !holds("hi5", "hi"));
    assert!(holds("oh hi!", "hi") && holds("说hi吧", "hi") && holds("hip, hi", "HI"));
    assert!(holds("您好呀", "好"));
}

#[test]
fn past_the_end_is_nothing() {
    let folded = Folded::new("é");
    assert_eq!((folded.at(1), folded.start(1), folded.end(1)), ('\0', 0, 0));
    assert!(!folded.holds(usize::MAX, &word("é")) && folded.holds(0, &word("É")));
}
