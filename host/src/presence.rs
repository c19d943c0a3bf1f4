//! Presence: which agents have a live session, on this node (embedded) or on any (cluster).

use crate::domain::ids::AgentId;

/// Who is there.
#[derive(Debug, Default)]
pub struct Presence {}

impl Presence {
    /// Whether the agent has a live session, or vanished less than the grace period ago.
    #[must_use]
    pub fn is_present(&self, _agent: AgentId) -> bool {
        false
    }
}
