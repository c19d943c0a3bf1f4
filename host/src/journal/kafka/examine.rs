//! What `kefu doctor` wants to know of Kafka: asked by a client of its own, changing nothing.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataTopic;

use super::reader::Quiet;
use super::topic::PATIENCE;
use super::{away, client, unusable};
use crate::journal::{JournalError, JournalSettings};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Brokers that are there.
    pub brokers: usize,
    /// What the question took, connecting included.
    pub round_trip: Duration,
    /// `None`: it is not made yet.
    pub topic: Option<Topic>,
}

/// The topic as it is. Of its partitions the worst counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// How many.
    pub partitions: usize,
    /// Copies of each.
    pub copies: usize,
    /// Copies that are up to date.
    pub in_sync: usize,
    /// Partitions that nobody leads: they take nothing.
    pub leaderless: usize,
    /// So many copies must have a record until it counts (`min.insync.replicas`); `None`: it does not say.
    pub min_in_sync: Option<usize>,
    /// Kafka keeps only the last record of each conversation.
    pub compacted: bool,
}

/// Asks.
///
/// # Errors
/// When no broker answers in time.
pub async fn examine(settings: &JournalSettings) -> Result<Examined, JournalError> {
    let own = settings.clone();
    let looked = tokio::task::spawn_blocking(move || look(&own));
    let mut found = looked.await.map_err(|e| away(&e))??;
    if let Some(topic) = &mut found.topic {
        configured(settings, topic).await;
    }
    Ok(found)
}

fn look(settings: &JournalSettings) -> Result<Examined, JournalError> {
    let begun = Instant::now();
    // As everywhere: a reader's client makes no topic by asking.
    let asks: BaseConsumer<Quiet> =
        client(settings).create_with_context(Quiet).map_err(|e| unusable(settings, &e))?;
    let answer = asks.fetch_metadata(Some(&settings.topic), PATIENCE).map_err(|e| away(&e))?;
    let round_trip = begun.elapsed();
    let named = |topic: &&MetadataTopic| topic.name() == settings.topic && topic.error().is_none();
    let topic = answer.topics().iter().find(named).map(|topic| {
        let partitions = topic.partitions();
        Topic {
            partitions: partitions.len(),
            copies: partitions.iter().map(|one| one.replicas().len()).min().unwrap_or(0),
            in_sync: partitions.iter().map(|one| one.isr().len()).min().unwrap_or(0),
            leaderless: partitions.iter().filter(|one| one.leader() < 0).count(),
            min_in_sync: None,
            compacted: false,
        }
    });
    Ok(Examined { brokers: answer.brokers().len(), round_trip, topic })
}

/// Who may not ask for a topic's settings goes without.
async fn configured(settings: &JournalSettings, topic: &mut Topic) {
    let Ok(admin) = client(settings).create::<AdminClient<DefaultClientContext>>() else { return };
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let named = [ResourceSpecifier::Topic(&settings.topic)];
    let Ok(answers) = admin.describe_configs(&named, &options).await else { return };
    let Some(Ok(settings)) = answers.into_iter().next() else { return };
    let value = |name: &str| settings.get(name).and_then(|entry| entry.value.clone());
    topic.min_in_sync = value("min.insync.replicas").and_then(|least| least.parse().ok());
    topic.compacted = value("cleanup.policy").is_some_and(|policy| policy.contains("compact"));
}
