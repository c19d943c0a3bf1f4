//! `kefu migrate` and `kefu migrate copy`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::link::Link;
use super::say;
use crate::app;
use crate::config::Config;
use crate::runtime::Clock;
use crate::storage::StorageConfig;
use crate::storage::copy::{self, Copy, Progress};
use crate::stream::{self, StreamLimits};

/// Without a command: brings the databases to this version's form.
#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy everything from SQLite into the empty PostgreSQL database that storage.url names, and verify it.
    ///
    /// The server must not run. A copy that was interrupted goes on where it was when it is started again. The data
    /// directory is not changed, except that its tables get this version's form.
    Copy {
        /// The data directory to copy from [default: server.data_dir of the config].
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// Only the events of stream.db, where accounts and conversations are in PostgreSQL already.
        #[arg(long)]
        events_only: bool,
    },
}

pub(super) async fn run(migrate: Migrate, config: Config) -> anyhow::Result<()> {
    let Some(Command::Copy { from, events_only }) = migrate.command else {
        Link::open(config).await?.close().await;
        return say("the databases are up to date");
    };
    let from = from.unwrap_or_else(|| config.server.data_dir.clone());
    let StorageConfig::Postgres(to) = app::storage_config(&config) else {
        bail!("storage.url is empty: set it to the PostgreSQL database to copy into");
    };
    if !from.join("stream.db").is_file() {
        bail!("{} has no stream.db: it is no data directory of kefu", from.display());
    }
    // Open as long as it is copied: its lock keeps servers out.
    let held = stream::open(&from, Clock::system(), StreamLimits::default())
        .context("nothing may change while it is copied: stop the server")?;
    let target = config.storage.url.to_string();
    say(&format!("copying {} into {target}", from.display()))?;
    let job = Copy { from, to, events_only };
    let mut last = String::new();
    copy::copy(&job, &mut |progress| {
        let line = words(&progress);
        // Who reads it may have gone; the copy goes on.
        if line != last {
            drop(say(&line));
            last = line;
        }
    })
    .await?;
    drop(tokio::task::spawn_blocking(move || drop(held)).await);
    let dir = job.from.display();
    say(&format!(
        "all of {dir} is in {target}, and verified. Files people sent are not copied: {dir}/files stays where it is and \
         in use, as does stream.db while the stream is embedded. kefu.db is not used any more; keep it as a backup"
    ))
}

fn words(progress: &Progress) -> String {
    match progress {
        Progress::Copied(table, rows, all) => format!("{table}: {rows} of {all} copied"),
        Progress::Agrees(table, rows, digest) => {
            format!("{table}: {rows} rows agree, digest {digest}")
        }
        Progress::Done => "it was copied and verified before; nothing is left to do".to_owned(),
    }
}
