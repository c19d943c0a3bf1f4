//! What the writer knows of recently written conversations: the last `seq`, and which keys are taken. The table itself
//! has no index over keys: each append would write one more page, a large part of all that a commit writes.
//!
//! Two generations by weight: when the young one holds half the limit it becomes the old one and the former old one is
//! forgotten. Forgetting is harmless: the table knows, and is read again from the conversation's first event on.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::domain::ids::{ConversationId, Seq};

/// Keys a conversation is expected to have: with as many, `limit` conversations are remembered.
const KEYS: usize = 16;

/// One conversation.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// The last `seq`, 0 before the first event.
    pub(super) head: Seq,
    /// A [print](Known::print) of each event's sender and key. Two may have the same one.
    prints: HashSet<u64>,
}

impl Talk {
    /// `false`: nobody has used the key. `true`: probably somebody has.
    pub(super) fn may_have(&self, print: u64) -> bool {
        self.prints.contains(&print)
    }

    pub(super) fn add(&mut self, seq: Seq, print: u64) {
        self.head = self.head.max(seq);
        self.prints.insert(print);
    }

    fn weight(&self) -> usize {
        KEYS.max(self.prints.len())
    }
}

/// A bounded map.
#[derive(Debug)]
pub(super) struct Known {
    young: HashMap<ConversationId, Talk>,
    old: HashMap<ConversationId, Talk>,
    /// Of the young generation.
    weight: usize,
    half: usize,
    /// Seeded anew by each process, so that no client can choose keys of one print.
    hasher: RandomState,
}

impl Known {
    /// Of `limit` conversations.
    pub(super) fn new(limit: usize) -> Self {
        let half = (limit.saturating_mul(KEYS) / 2).max(1);
        let (young, old) = (HashMap::new(), HashMap::new());
        Self { young, old, weight: 0, half, hasher: RandomState::new() }
    }

    /// Of `(sender_kind, sender)` and key.
    pub(super) fn print(&self, sender: (i64, i64), key: &[u8]) -> u64 {
        self.hasher.hash_one((sender, key))
    }

    /// Takes a conversation out, to be [put](Self::put) back.
    pub(super) fn take(&mut self, conversation: ConversationId) -> Option<Talk> {
        match self.young.remove(&conversation) {
            Some(talk) => {
                self.weight -= talk.weight();
                Some(talk)
            }
            None => self.old.remove(&conversation),
        }
    }

    pub(super) fn put(&mut self, conversation: ConversationId, talk: Talk) {
        self.weight += talk.weight();
        self.young.insert(conversation, talk);
        if self.weight >= self.half {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
    }

    /// Forgets everything: after a commit that failed.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.weight = 0;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
