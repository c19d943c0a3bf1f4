//! The partition logs and their leases, for whoever carries events on to SQL.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Redis, Seen, Shared, position, unread};
use crate::domain::event::Event;
use crate::stream::{Lease, Log, LogPosition, ReadError, TrimError, record};

#[async_trait]
impl Log for Redis {
    fn partitions(&self) -> u16 {
        self.shared.config.partitions
    }

    async fn log(
        &self,
        partition: u16,
        after: LogPosition,
        limit: usize,
    ) -> Result<Vec<(LogPosition, Arc<Event>)>, ReadError> {
        let Seen { lines, .. } = self.shared.look(usize::from(partition), after, limit).await?;
        let event = |(at, line): (LogPosition, Vec<u8>)| {
            let named = |why| ReadError(format!("event {at} of partition {partition}: {why}"));
            Ok((at, Arc::new(record::event(&line).map_err(named)?)))
        };
        lines.into_iter().map(event).collect()
    }

    async fn log_end(&self, partition: u16) -> Result<LogPosition, ReadError> {
        let beyond = LogPosition { ms: u64::MAX, n: 0 };
        Ok(self.shared.look(usize::from(partition), beyond, 1).await?.end.at)
    }

    async fn trimmed(&self, partition: u16) -> Result<LogPosition, ReadError> {
        let mut command = redis::cmd("GET");
        command.arg(&self.shared.keys[usize::from(partition)].trimmed);
        let found: Option<String> = self.shared.link.run(&command).await.map_err(unread)?;
        found.map_or(Ok(LogPosition::START), |found| position(&found))
    }

    async fn trim(&self, lease: &Lease, upto: LogPosition) -> Result<(), TrimError> {
        let keys = &self.shared.keys[usize::from(lease.partition)];
        let stays = LogPosition { n: upto.n.saturating_add(1), ..upto };
        let (owner, epoch) = (lease.owner.to_string(), lease.epoch.to_string());
        let arguments = [owner, epoch, stays.to_string(), upto.to_string()];
        let names = [keys.lease(&lease.role), keys.log.clone(), keys.trimmed.clone()];
        let trim = &self.shared.programs.trim;
        match trim.run(&self.shared.link, &names, &arguments).await.map_err(unread)? {
            1 => Ok(()),
            _ => Err(TrimError::LeaseLost),
        }
    }

    async fn lease(
        &self,
        partition: u16,
        role: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, ReadError> {
        let epoch = self.shared.take(partition, role, owner, ttl).await?;
        Ok(epoch.map(|epoch| Lease { partition, role: role.into(), owner: owner.into(), epoch }))
    }

    async fn release(&self, lease: Lease) {
        let keys = &self.shared.keys[usize::from(lease.partition)];
        let arguments = [lease.owner.to_string(), "0".into(), lease.epoch.to_string()];
        let program = &self.shared.programs.lease;
        let released: Result<Option<u64>, _> =
            program.run(&self.shared.link, &[keys.lease(&lease.role)], &arguments).await;
        if let Err(why) = released {
            tracing::debug!(partition = lease.partition, %why, "a lease is left to run out");
        }
    }

    async fn appended(&self, partition: u16) {
        self.shared.appended[usize::from(partition)].notified().await;
    }
}

impl Shared {
    /// The epoch of a lease taken or renewed.
    pub(super) async fn take(
        &self,
        partition: u16,
        role: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, ReadError> {
        let key = self.keys[usize::from(partition)].lease(role);
        let arguments = [owner.to_owned(), ttl.as_millis().to_string(), String::new()];
        self.programs.lease.run(&self.link, &[key], &arguments).await.map_err(unread)
    }
}
