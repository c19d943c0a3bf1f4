//! What `kefu doctor` says of Kafka.

use anyhow::{anyhow, bail, ensure};

use super::{Found, Good, Note, Report, in_time};
use crate::config::Config;
use crate::journal::{JournalExamined, JournalSettings, JournalTopic, examine};

pub(super) async fn lines(
    config: &Config,
    journal: &JournalSettings,
    report: &mut Report,
) -> anyhow::Result<()> {
    let brokers = &config.kafka.brokers;
    let asked = in_time(async { examine(journal).await.map_err(anyhow::Error::new) }).await;
    let found = match asked {
        Ok(found) => found,
        Err(error) => {
            let told = anyhow!("{brokers}: {error}: events go to the spool meanwhile");
            return report.line("kafka", Err(told));
        }
    };
    let JournalExamined { brokers: many, round_trip, topic } = &found;
    let ping = round_trip.as_secs_f64() * 1000.0;
    let said = format!("{brokers}, brokers there: {many}, connected and answered in {ping:.0} ms");
    report.line("kafka", Ok(Good(said)))?;
    match topic {
        Some(topic) => report.line("kafka topic", judged(journal, topic)),
        None => {
            let said = format!("{} is not there; `kefu serve` makes it", journal.topic);
            report.line("kafka topic", Ok(Note(said)))
        }
    }
}

fn judged(journal: &JournalSettings, topic: &JournalTopic) -> anyhow::Result<Found> {
    let JournalTopic { partitions, copies, in_sync, leaderless, min_in_sync, compacted } = *topic;
    let (name, wanted) = (&journal.topic, journal.partitions);
    ensure!(
        partitions == usize::from(wanted),
        "{name} has {partitions} partitions, and cluster.partitions is {wanted}"
    );
    if compacted {
        bail!("{name} has cleanup.policy compact: one event of each conversation would be left");
    }
    ensure!(leaderless == 0, "{leaderless} of {partitions} partitions of {name} have no leader");
    let least = min_in_sync.map_or("unknown".into(), |least| least.to_string());
    let said = format!(
        "{name}, {partitions} partitions, copies of each: {copies}, up to date: {in_sync}, \
         min.insync.replicas {least}"
    );
    if let Some(least) = min_in_sync {
        ensure!(in_sync >= least, "{said}: it takes nothing, events go to the spool");
    }
    Ok(match (copies, min_in_sync) {
        (1, _) => Note(format!(
            "{said}: a broker's disk that dies takes what is only there (SQL has it too: `kefu \
             journal republish`)"
        )),
        (_, Some(1)) => Note(format!(
            "{said}: a record counts when one broker has it, and is gone when that one dies first"
        )),
        _ if in_sync < copies => Note(format!("{said}: a copy is behind")),
        _ => Good(said),
    })
}

#[cfg(test)]
mod tests;
