//! What is done to all sessions of a person or a conversation, wherever they are: done to those of this node, and wished
//! of every other node. A wish is a signal and may be lost; events are not told this way but by every node's own tail,
//! and who was assigned what is found out again by `conversations`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::{Bye, Follow, Item, Push, Session, Sessions, all, of, of_party};
use crate::domain::ids::ConversationId;
use crate::domain::people::{Party, Principal, Role};
use crate::stream::Topic;

/// One of them, as the method of [`Sessions`] that it is named after.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Wish {
    Push { party: Party, push: Push },
    PushToFollowers { conversation: ConversationId, but: Option<Party>, push: Push },
    Follow { party: Party, follow: Follow },
    Unfollow { party: Party, conversation: ConversationId },
    End { party: Party, bye: Bye },
}

impl Sessions {
    /// Ends every session of this person, on all nodes (signed out, disabled, password changed).
    pub fn end_for(&self, party: Party, bye: Bye) {
        self.end_here(party, bye);
        self.wish(|| Wish::End { party, bye });
    }

    fn end_here(&self, party: Party, bye: Bye) {
        for session in all(&self.by_party[of_party(party)], &party) {
            self.end(&session, Some(bye));
        }
    }

    /// Gives something to every session of this party (all tabs, all devices, on all nodes). Never waits.
    pub fn push_to(&self, party: Party, push: Push) {
        self.wish(|| Wish::Push { party, push: push.clone() });
        self.push_here(party, push);
    }

    /// As [`Sessions::push_to`], on this node: for what every node finds out by itself.
    pub fn push_here(&self, party: Party, push: Push) {
        for session in all(&self.by_party[of_party(party)], &party) {
            self.put(&session, Item::Push(push.clone()));
        }
    }

    /// Gives something to every session of this node whose account has this role or a higher one.
    pub fn push_to_role_here(&self, least: Role, push: &Push) {
        let may = |session: &Session| match session.principal() {
            Principal::Agent { role, .. } => *role >= least,
            Principal::Visitor { .. } => false,
        };
        for shard in &self.by_party {
            let shard = shard.lock();
            let agents = shard.iter().filter(|(party, _)| matches!(party, Party::Agent(_)));
            let all = agents.flat_map(|(_, list)| list).filter(|session| may(session));
            let all: Vec<_> = all.cloned().collect();
            drop(shard);
            all.iter().for_each(|session| self.put(session, Item::Push(push.clone())));
        }
    }

    /// Gives something to every session that follows this conversation, on all nodes, except `but`. Notes and the like
    /// are held back from visitors at the carrier.
    pub fn push_to_followers(&self, conversation: ConversationId, but: Option<Party>, push: &Push) {
        self.push_to_followers_here(conversation, but, push);
        self.wish(|| Wish::PushToFollowers { conversation, but, push: push.clone() });
    }

    fn push_to_followers_here(
        &self,
        conversation: ConversationId,
        but: Option<Party>,
        push: &Push,
    ) {
        for session in all(&self.followers[of(conversation.get())], &conversation) {
            if but != Some(session.principal().party()) {
                self.put(&session, Item::Push(push.clone()));
            }
        }
    }

    /// Makes every session of this party, on all nodes, follow a conversation from `sent` on; healing brings the rest.
    pub fn follow_for(&self, party: Party, follow: Follow) {
        self.follow_here(party, follow);
        self.wish(|| Wish::Follow { party, follow });
    }

    /// As [`Sessions::follow_for`], on this node.
    pub fn follow_here(&self, party: Party, follow: Follow) {
        for session in all(&self.by_party[of_party(party)], &party) {
            if let Err(refusal) = self.follow(&session, follow, false) {
                tracing::warn!(session = %session.id(), %refusal, "not followed");
            }
        }
    }

    /// Ends following for every session of this party, on all nodes.
    pub fn unfollow_for(&self, party: Party, conversation: ConversationId) {
        self.unfollow_here(party, conversation);
        self.wish(|| Wish::Unfollow { party, conversation });
    }

    fn unfollow_here(&self, party: Party, conversation: ConversationId) {
        for session in all(&self.by_party[of_party(party)], &party) {
            self.unfollow(&session, conversation);
        }
    }

    /// Whether there are no other nodes, ever.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.signals.is_none()
    }

    /// Tells the other nodes.
    fn wish(&self, wish: impl FnOnce() -> Wish) {
        let Some(signals) = &self.signals else { return };
        match serde_json::to_string(&wish()) {
            Ok(text) => signals.send(Topic::Sessions, &text),
            Err(error) => tracing::error!(%error, "the other nodes cannot be told"),
        }
    }

    /// Does what the other nodes wish, until shutdown.
    pub(super) async fn hear_others(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(signals) = &self.signals else { return };
        let mut heard = signals.hear();
        loop {
            let signal = tokio::select! {
                () = shutdown.cancelled() => return,
                signal = heard.recv() => signal,
            };
            match signal {
                Ok(signal) if signal.topic == Topic::Sessions && signal.node != signals.node() => {
                    match serde_json::from_str(&signal.text) {
                        Ok(wish) => self.grant(wish),
                        Err(error) => {
                            tracing::debug!(%error, node = signal.node, "a wish makes no sense");
                        }
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => {
                    tracing::warn!(count, "what other nodes wished of sessions was lost");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn grant(&self, wish: Wish) {
        match wish {
            Wish::Push { party, push } => self.push_here(party, push),
            Wish::PushToFollowers { conversation, but, push } => {
                self.push_to_followers_here(conversation, but, &push);
            }
            Wish::Follow { party, follow } => self.follow_here(party, follow),
            Wish::Unfollow { party, conversation } => self.unfollow_here(party, conversation),
            Wish::End { party, bye } => self.end_here(party, bye),
        }
    }
}
