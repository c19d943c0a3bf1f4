//! A stream's log in memory: what the pipeline reads, with leases that run out and a trim that is fenced.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{ConversationId, Millis, Seq};
use crate::domain::partition;
use crate::domain::people::Party;
use crate::runtime::Clock;
use crate::stream::{Lease, Log, LogPosition, ReadError, TrimError};

/// See the module.
pub(super) struct MemoryLog {
    clock: Clock,
    parts: Vec<(Mutex<Part>, Notify)>,
    heads: Mutex<HashMap<ConversationId, Seq>>,
}

#[derive(Default)]
struct Part {
    log: Vec<(LogPosition, Arc<Event>)>,
    end: LogPosition,
    trimmed: LogPosition,
    epoch: u64,
    holder: Option<(Arc<str>, Millis)>,
}

impl MemoryLog {
    pub(super) fn new(partitions: u16) -> Arc<Self> {
        let parts = (0..partitions).map(|_| Default::default()).collect();
        Arc::new(Self { clock: Clock::system(), parts, heads: Mutex::default() })
    }

    /// One more message.
    pub(super) fn append(&self, conversation: ConversationId) {
        let seq = *self.heads.lock().entry(conversation).and_modify(|seq| *seq += 1).or_insert(1);
        let (part, appended) =
            &self.parts[usize::from(partition::of(conversation, self.partitions()))];
        let mut part = part.lock();
        let now = self.clock.now();
        part.end = match part.end {
            LogPosition { ms, n } if ms >= now => LogPosition { ms, n: n + 1 },
            _ => LogPosition { ms: now, n: 0 },
        };
        let (end, text) = (part.end, format!("{seq} of {conversation}"));
        let body = EventBody::Message { text, masked: false, file: None };
        let from = Party::System;
        let event = Event { conversation, seq, at: end.ms, from, key: None, body };
        part.log.push((end, Arc::new(event)));
        drop(part);
        appended.notify_waiters();
    }

    /// The last number of every conversation.
    pub(super) fn heads(&self) -> HashMap<ConversationId, Seq> {
        self.heads.lock().clone()
    }

    /// Events that were not trimmed.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|(part, _)| part.lock().log.len()).sum()
    }

    fn part(&self, partition: u16) -> &Mutex<Part> {
        &self.parts[usize::from(partition)].0
    }
}

#[async_trait]
impl Log for MemoryLog {
    fn partitions(&self) -> u16 {
        self.parts.len() as u16
    }

    async fn log(
        &self,
        partition: u16,
        after: LogPosition,
        limit: usize,
    ) -> Result<Vec<(LogPosition, Arc<Event>)>, ReadError> {
        let part = self.part(partition).lock();
        let begin = part.log.partition_point(|(at, _)| *at <= after);
        Ok(part.log[begin..].iter().take(limit).cloned().collect())
    }

    async fn log_end(&self, partition: u16) -> Result<LogPosition, ReadError> {
        Ok(self.part(partition).lock().end)
    }

    async fn trimmed(&self, partition: u16) -> Result<LogPosition, ReadError> {
        Ok(self.part(partition).lock().trimmed)
    }

    async fn trim(&self, lease: &Lease, upto: LogPosition) -> Result<(), TrimError> {
        let mut part = self.part(lease.partition).lock();
        if part.epoch != lease.epoch {
            return Err(TrimError::LeaseLost);
        }
        part.log.retain(|(at, _)| *at > upto);
        part.trimmed = part.trimmed.max(upto);
        Ok(())
    }

    async fn lease(
        &self,
        partition: u16,
        role: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, ReadError> {
        let mut part = self.part(partition).lock();
        let now = self.clock.now();
        match &part.holder {
            Some((holder, until)) if *until > now && **holder != *owner => return Ok(None),
            Some((_, until)) if *until > now => {}
            // They only grow, not one by one.
            _ => part.epoch += 1000,
        }
        part.holder = Some((owner.into(), now + ttl.as_millis() as u64));
        let epoch = part.epoch;
        Ok(Some(Lease { partition, role: role.into(), owner: owner.into(), epoch }))
    }

    async fn release(&self, lease: Lease) {
        let mut part = self.part(lease.partition).lock();
        if part.epoch == lease.epoch {
            part.holder = None;
        }
    }

    async fn appended(&self, partition: u16) {
        self.parts[usize::from(partition)].1.notified().await;
    }
}
