//! The last `seq` of recently written conversations, so that an append needs no look-up. Two
//! generations: when the young one holds half the limit it becomes the old one and the former old
//! one is forgotten.

use std::collections::HashMap;

use crate::domain::ids::{ConversationId, Seq};

/// A bounded map. Forgetting is harmless: the table knows.
#[derive(Debug)]
pub(super) struct Heads {
    young: HashMap<ConversationId, Seq>,
    old: HashMap<ConversationId, Seq>,
    half: usize,
}

impl Heads {
    pub(super) fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (limit / 2).max(1) }
    }

    pub(super) fn get(&self, conversation: ConversationId) -> Option<Seq> {
        self.young.get(&conversation).or_else(|| self.old.get(&conversation)).copied()
    }

    pub(super) fn set(&mut self, conversation: ConversationId, seq: Seq) {
        self.young.insert(conversation, seq);
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
    }

    /// Forgets everything: after a commit whose outcome is unknown.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
