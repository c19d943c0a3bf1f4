//! A conversation as the rules read it: what was said, folded, and when an agent came to be in charge.

use kefu_plugin_sdk::inspection::{Line, Speaker};
use kefu_plugin_sdk::text::Folded;

/// One thing said.
pub(crate) struct Said {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) by_agent: bool,
    pub(crate) text: Folded,
}

/// The whole conversation.
pub(crate) struct Talk {
    pub(crate) said: Vec<Said>,
    /// When it was given to an agent, each time.
    handed: Vec<u64>,
    /// When the visitor closed it, if it was the visitor.
    left: Option<u64>,
}

impl Talk {
    pub(crate) fn new(lines: &[Line]) -> Self {
        let mut talk = Self { said: Vec::new(), handed: Vec::new(), left: None };
        for line in lines {
            match (line.kind.as_str(), line.by) {
                ("message", Speaker::Visitor | Speaker::Agent) => talk.said.push(Said {
                    seq: line.seq,
                    at: line.at,
                    by_agent: line.by == Speaker::Agent,
                    text: Folded::new(&line.text),
                }),
                ("assigned" | "transferred", _) => talk.handed.push(line.at),
                ("closed", Speaker::Visitor) => talk.left = Some(line.at),
                _ => {}
            }
        }
        talk
    }

    pub(crate) fn by_agent(&self) -> impl DoubleEndedIterator<Item = &Said> {
        self.said.iter().filter(|said| said.by_agent)
    }

    pub(crate) fn by_visitor(&self) -> impl DoubleEndedIterator<Item = &Said> {
        self.said.iter().filter(|said| !said.by_agent)
    }

    /// How long an agent let the visitor wait: time in the queue, and the time of an agent who handed it on, is not the
    /// answering agent's.
    pub(crate) fn waited(&self, since: u64, until: u64) -> u64 {
        let handed = self.handed.iter().filter(|at| (since..=until).contains(at)).max();
        until.saturating_sub(*handed.unwrap_or(&since))
    }

    /// The visitor left so soon after that moment that nobody could have answered.
    pub(crate) fn left_within(&self, since: u64, limit: u64) -> bool {
        self.left.is_some_and(|left| self.waited(since, left) <= limit)
    }
}
