//! Folding: the same word however it is typed, with the way back to the original bytes.

/// Folded characters and where each came from.
pub(crate) struct Folded {
    /// The characters to search.
    pub(crate) chars: Vec<char>,
    spans: Vec<(usize, usize)>,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Self {
        let mut folded = Self { chars: Vec::new(), spans: Vec::new() };
        for (at, c) in text.char_indices().filter(|(_, c)| !is_invisible(*c)) {
            for low in narrow(c).to_lowercase() {
                folded.chars.push(low);
                folded.spans.push((at, at + c.len_utf8()));
            }
        }
        folded
    }

    /// The original bytes of the folded characters `from..to`; `from < to`.
    pub(crate) fn bytes(&self, from: usize, to: usize) -> (usize, usize) {
        (self.spans[from].0, self.spans[to - 1].1)
    }
}

fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    }
}

/// Characters that show nothing and are put between letters to get past filters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}
