//! The road behind the stream, put together from the config: journal, spool, relay, archive.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::config::Config;
use crate::journal::{Journal, JournalError, JournalSettings};
use crate::pipeline::archive::{Archive, ArchiveLimits};
use crate::pipeline::closed::Closed;
use crate::pipeline::relay::{LivenessRules, Relay};
use crate::pipeline::{Parts, Pipeline};
use crate::runtime::{Clock, random_bytes};
use crate::spool::Spool;
use crate::storage::Archived;
use crate::stream::Log;

/// Records one partition may have on its way, at least.
const LEAST_WINDOW: usize = 1000;

/// The journal a config means, if any.
pub(crate) fn journal_settings(config: &Config) -> Option<JournalSettings> {
    let kafka = &config.kafka;
    (!kafka.brokers.is_empty()).then(|| JournalSettings {
        brokers: kafka.brokers.clone(),
        topic: kafka.topic.clone(),
        partitions: config.cluster.partitions,
        replication: kafka.replication,
        linger_ms: kafka.linger_ms,
        in_flight: kafka.in_flight,
        in_flight_kib: kafka.in_flight_bytes >> 10,
    })
}

/// Opens what the config names, where events have to move on. Kafka may be away; a topic that must not be used stops the
/// start.
pub(super) async fn open(
    config: &Config,
    moving: Option<(Arc<dyn Log>, Archived)>,
    closed: &Arc<Closed>,
    clock: &Clock,
) -> Result<Option<Arc<Pipeline>>, StartError> {
    let Some((log, archived)) = moving else { return Ok(None) };
    let limits = ArchiveLimits {
        queue: config.archive.waiting,
        batch: config.archive.batch_rows,
        wait_ms: config.archive.batch_wait_ms,
    };
    let archive = Archive::new(archived.clone(), closed.clone(), limits);
    let relay = match journal_settings(config) {
        None => None,
        Some(settings) => {
            let window = (settings.in_flight / usize::from(settings.partitions)).max(LEAST_WINDOW);
            let journal = Journal::open(settings, clock.clone())?;
            match journal.prepare().await {
                Ok(()) => {}
                Err(JournalError::Away(why)) => tracing::warn!(why, "Kafka is away"),
                Err(unusable) => return Err(unusable.into()),
            }
            let spool = config.server.data_dir.join("spool");
            Some(Arc::new(Relay {
                log: log.clone(),
                journal,
                spool: Spool::open(&spool, config.spool.max_bytes)?,
                past: archived.clone(),
                clock: clock.clone(),
                rules: LivenessRules {
                    down_after_ms: config.kafka.down_after_ms,
                    dwell_ms: config.kafka.dwell_ms,
                    ..LivenessRules::default()
                },
                window,
            }))
        }
    };
    Ok(Some(Pipeline::new(Parts {
        log,
        archived,
        archive,
        closed: closed.clone(),
        relay,
        clock: clock.clone(),
        owner: format!("{:016x}", u64::from_le_bytes(random_bytes())),
        lease: Duration::from_millis(config.cluster.lease_ms),
    })))
}
