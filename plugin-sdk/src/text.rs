//! Text as rules compare it: full-width forms become ASCII, case is dropped, characters that show nothing vanish — with
//! the way back to the bytes it came from. What the shipped plugins find words with; yours may too.
//!
//! ```
//! use kefu_plugin_sdk::text::{Folded, word};
//!
//! let text = "我的ＶＸ号";
//! let folded = Folded::new(text);
//! let (first, last) = folded.find(&word("vx")).unwrap();
//! assert_eq!(&text[folded.bytes(first, last)], "ＶＸ");
//! ```

use std::ops::Range;

/// Characters after folding, each with its byte range in the original.
#[derive(Debug)]
pub struct Folded {
    chars: Vec<(char, u32, u32)>,
}

impl Folded {
    /// Folds a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut chars = Vec::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if !is_invisible(c) {
                chars.push((fold(c), at as u32, (at + c.len_utf8()) as u32));
            }
        }
        Self { chars }
    }

    /// Number of folded characters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chars.len()
    }

    /// Nothing is left to compare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// The character there; `\0` past the end.
    #[must_use]
    pub fn at(&self, index: usize) -> char {
        self.chars.get(index).map_or('\0', |c| c.0)
    }

    /// Where it begins in the original, bytes.
    #[must_use]
    pub fn start(&self, index: usize) -> u32 {
        self.chars.get(index).map_or(0, |c| c.1)
    }

    /// Where it ends in the original, bytes.
    #[must_use]
    pub fn end(&self, index: usize) -> u32 {
        self.chars.get(index).map_or(0, |c| c.2)
    }

    /// The bytes of the original from the first folded character to the last, both included.
    #[must_use]
    pub fn bytes(&self, first: usize, last: usize) -> Range<usize> {
        self.start(first) as usize..self.end(last) as usize
    }

    /// A letter or digit, as opposed to a separator.
    #[must_use]
    pub fn is_mark(&self, index: usize) -> bool {
        self.at(index).is_alphanumeric()
    }

    /// Whether a word ([`word`]) stands there. One that begins or ends in an ASCII letter or digit only counts at the
    /// edge of a word: "hi" is not in "this".
    #[must_use]
    pub fn holds(&self, first: usize, word: &[char]) -> bool {
        let Some(end) = first.checked_add(word.len()).filter(|end| *end <= self.len()) else {
            return false;
        };
        let apart = |inner: Option<&char>, outer: char| {
            !(inner.is_some_and(char::is_ascii_alphanumeric) && outer.is_ascii_alphanumeric())
        };
        word.iter().zip(&self.chars[first..end]).all(|(wanted, has)| *wanted == has.0)
            && (first == 0 || apart(word.first(), self.at(first - 1)))
            && (end == self.len() || apart(word.last(), self.at(end)))
    }

    /// The first place of a word: its first and last folded character.
    #[must_use]
    pub fn find(&self, word: &[char]) -> Option<(usize, usize)> {
        let last = word.len().checked_sub(1)?;
        (0..self.len()).find(|&at| self.holds(at, word)).map(|at| (at, at + last))
    }
}

/// A word as [`Folded`] compares it: folded, without spaces around it. May be empty.
#[must_use]
pub fn word(text: &str) -> Vec<char> {
    text.trim().chars().filter(|c| !is_invisible(*c)).map(fold).collect()
}

/// Full-width ASCII becomes ASCII, other spaces a space, curly quotes straight ones, and case is dropped.
#[must_use]
pub fn fold(c: char) -> char {
    let narrow = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' => ' ',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        other => other,
    };
    if narrow.is_ascii() {
        return narrow.to_ascii_lowercase();
    }
    let mut lower = narrow.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => narrow,
    }
}

/// Characters people put between letters to slip through: they show nothing.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests;
