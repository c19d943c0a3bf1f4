//! The topic: looked at before it is written to, made where it is missing. It changes no topic that is there.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::reader::Quiet;
use super::{away, client, unusable};
use crate::journal::{JournalError, JournalSettings};

/// Kafka's word for "as the brokers are configured".
const BROKERS_CHOICE: i32 = -1;
/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn prepare(settings: &JournalSettings) -> Result<(), JournalError> {
    if look(settings).await? {
        return Ok(());
    }
    create(settings).await?;
    match look(settings).await? {
        true => Ok(()),
        false => Err(JournalError::Away(format!("{} is not there yet", settings.topic))),
    }
}

/// Whether it is there, with as many partitions as it must have.
async fn look(settings: &JournalSettings) -> Result<bool, JournalError> {
    let settings = settings.clone();
    let looked = tokio::task::spawn_blocking(move || {
        // A reader's client: a producer's question would have some brokers make the topic, with any number.
        let asks: BaseConsumer<Quiet> =
            client(&settings).create_with_context(Quiet).map_err(|e| unusable(&settings, &e))?;
        let answer = asks.fetch_metadata(Some(&settings.topic), PATIENCE).map_err(|e| away(&e))?;
        let topic = answer.topics().iter().find(|topic| topic.name() == settings.topic);
        let Some(topic) = topic else { return Ok(false) };
        if let Some(error) = topic.error() {
            return match RDKafkaErrorCode::from(error) {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                    Ok(false)
                }
                other => Err(away(&other)),
            };
        }
        match topic.partitions().len() {
            found if found == usize::from(settings.partitions) => Ok(true),
            found => Err(JournalError::Partitions {
                topic: settings.topic,
                found,
                wanted: settings.partitions,
            }),
        }
    });
    looked.await.map_err(|e| away(&e))?
}

async fn create(settings: &JournalSettings) -> Result<(), JournalError> {
    let admin: AdminClient<DefaultClientContext> =
        client(settings).create().map_err(|e| unusable(settings, &e))?;
    let copies =
        if settings.replication == 0 { BROKERS_CHOICE } else { settings.replication.into() };
    let replication = TopicReplication::Fixed(copies);
    let topic = NewTopic::new(&settings.topic, i32::from(settings.partitions), replication);
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let made = admin.create_topics([&topic], &options).await.map_err(|e| away(&e))?;
    for outcome in made {
        match outcome {
            // Another node was quicker.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(JournalError::Away(format!("{topic} cannot be made: {code}")));
            }
        }
    }
    Ok(())
}
