//! An agent's status: what it says about being there.

use super::{Conversations, stored};
use crate::domain::agent::Status;
use crate::domain::event::QueueCause;
use crate::domain::people::Principal;
use crate::domain::refusal::Refusal;

impl Conversations {
    /// An agent's status; offline sends its conversations back to the queue.
    ///
    /// # Errors
    /// Not an agent, or storage is away.
    pub async fn set_status(&self, who: &Principal, status: Status) -> Result<(), Refusal> {
        let Principal::Agent { agent, .. } = *who else {
            return Err(Refusal::Forbidden("only agents have a status"));
        };
        let known = self.parts.storage.set_status(agent, status).await.map_err(stored)?;
        if !known {
            return Err(Refusal::NotFound("agent"));
        }
        self.known.forget_roster();
        if status == Status::Offline {
            self.requeue_all(agent, QueueCause::AgentLeft).await?;
        }
        self.wake_routing();
        Ok(())
    }
}
