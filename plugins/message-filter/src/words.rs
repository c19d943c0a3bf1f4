//! Word lists: found by first character, then compared.

use kefu_plugin_sdk::text::{self, Folded};

use crate::{Act, Found};

const MOST_WORDS: usize = 20_000;
const LONGEST: usize = 64;

/// Both lists, sorted by first character.
#[derive(Debug)]
pub(crate) struct Words {
    sorted: Vec<(Vec<char>, Act)>,
    /// One bit for the low byte of every first character: most positions are ruled out here.
    firsts: [u64; 4],
}

impl Words {
    /// Folds and sorts the lists.
    pub(crate) fn new(block: &[String], mask: &[String]) -> Result<Self, String> {
        if block.len() + mask.len() > MOST_WORDS {
            return Err(format!("block and mask together: at most {MOST_WORDS} words"));
        }
        let mut sorted = Vec::with_capacity(block.len() + mask.len());
        let lists = [("block", block, Act::Block), ("mask", mask, Act::Mask)];
        for (name, list, act) in lists {
            for (index, word) in list.iter().enumerate() {
                let folded = text::word(word);
                if folded.is_empty() || folded.len() > LONGEST {
                    return Err(format!("{name}[{index}]: a word has 1 to {LONGEST} characters"));
                }
                sorted.push((folded, act));
            }
        }
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut firsts = [0; 4];
        for (word, _) in &sorted {
            let low = word[0] as usize & 255;
            firsts[low / 64] |= 1 << (low % 64);
        }
        Ok(Self { sorted, firsts })
    }

    /// Every word in the text; of several that begin at one place, all.
    pub(crate) fn find(&self, text: &Folded) -> Vec<Found> {
        let mut found = Vec::new();
        for first in 0..text.len() {
            let c = text.at(first);
            let low = c as usize & 255;
            if self.firsts[low / 64] & (1 << (low % 64)) == 0 {
                continue;
            }
            let from = self.sorted.partition_point(|(word, _)| word[0] < c);
            for (word, act) in self.sorted[from..].iter().take_while(|(word, _)| word[0] == c) {
                if text.holds(first, word) {
                    let last = first + word.len() - 1;
                    found.push(Found { rule: "word", first, last, act: *act, keep: (0, 0) });
                }
            }
        }
        found
    }
}
