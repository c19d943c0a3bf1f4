//! Folding: the text as the rules compare it, with the way back to the bytes it came from.

/// Characters after folding, each with its byte range in the original.
pub(crate) struct Folded {
    chars: Vec<(char, u32, u32)>,
}

impl Folded {
    /// Folds a text.
    pub(crate) fn new(text: &str) -> Self {
        let mut chars = Vec::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if !is_zero_width(c) {
                chars.push((fold(c), at as u32, (at + c.len_utf8()) as u32));
            }
        }
        Self { chars }
    }

    /// Number of folded characters.
    pub(crate) fn len(&self) -> usize {
        self.chars.len()
    }

    /// The character there; `\0` past the end.
    pub(crate) fn at(&self, index: usize) -> char {
        self.chars.get(index).map_or('\0', |c| c.0)
    }

    /// Where it begins in the original, bytes.
    pub(crate) fn start(&self, index: usize) -> u32 {
        self.chars.get(index).map_or(0, |c| c.1)
    }

    /// Where it ends in the original, bytes.
    pub(crate) fn end(&self, index: usize) -> u32 {
        self.chars.get(index).map_or(0, |c| c.2)
    }

    /// A letter or digit, as opposed to a separator.
    pub(crate) fn is_mark(&self, index: usize) -> bool {
        self.at(index).is_alphanumeric()
    }
}

/// Full-width ASCII becomes ASCII, the ideographic space a space, and case is dropped.
pub(crate) fn fold(c: char) -> char {
    let narrow = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
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
pub(crate) fn is_zero_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}
