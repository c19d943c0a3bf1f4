//! What `kefu doctor` says of the data directory and, where no server runs, of the data. It only looks: nothing is
//! made, and nothing is brought to another form.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;
use serde_json::json;

use super::{Found, Good, Note, Report, in_time};
use crate::app;
use crate::config::Config;
use crate::storage::{self, Kept};

/// Below this the stream soon takes nothing more.
const FREE_WANTED: u64 = 256 << 20;
/// A disk slower than this makes every ack wait.
const SLOW_SYNC: Duration = Duration::from_millis(50);

pub(super) fn directory(dir: &Path) -> anyhow::Result<Found> {
    let shown = dir.display();
    if !dir.exists() {
        let above = nearest(dir)?;
        ensure!(above.is_dir(), "{shown} cannot be made: {} is no directory", above.display());
        rustix::fs::access(above.as_path(), Access::WRITE_OK)
            .with_context(|| format!("{shown} cannot be made"))?;
        return Ok(Note(format!("{shown} is not there yet: `kefu serve` makes it")));
    }
    let Some(took) = sync(dir).with_context(|| format!("{shown} cannot be written to"))? else {
        return Ok(Good(shown.to_string()));
    };
    let said = format!("{shown}, fsync {:.1} ms", took.as_secs_f64() * 1000.0);
    Ok(if took > SLOW_SYNC {
        Note(format!("{said}: a slow disk, every ack waits for it"))
    } else {
        Good(said)
    })
}

/// How long a write takes to be on disk: in a file without a name, of which nothing is seen and nothing is left. `None`
/// where the file system has no such files.
fn sync(dir: &Path) -> anyhow::Result<Option<Duration>> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let unnamed = match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Ok(unnamed) => unnamed,
        Err(why) if [Errno::OPNOTSUPP, Errno::ISDIR].contains(&why) => {
            rustix::fs::access(dir, Access::WRITE_OK)?;
            return Ok(None);
        }
        Err(why) => return Err(why.into()),
    };
    let mut file = File::from(unnamed);
    let begun = Instant::now();
    file.write_all(&[0; 4096])?;
    file.sync_data()?;
    Ok(Some(begun.elapsed()))
}

pub(super) fn free_space(dir: &Path) -> anyhow::Result<Found> {
    let there = nearest(dir)?;
    let disk = rustix::fs::statvfs(there.as_path()).context("the disk cannot be asked")?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let said = format!("{} MB free", free >> 20);
    if free < FREE_WANTED {
        bail!("only {said}, of at least {} MB: soon nothing is acked", FREE_WANTED >> 20);
    }
    Ok(Good(said))
}

/// The directory or, where it is yet to be made, the nearest above it that is there.
fn nearest(dir: &Path) -> anyhow::Result<PathBuf> {
    let whole = std::path::absolute(dir)?;
    let there = whole.ancestors().find(|path| path.exists());
    Ok(there.unwrap_or(Path::new("/")).to_path_buf())
}

/// No process has the stream that is kept here.
pub(super) fn unused(dir: &Path) -> anyhow::Result<()> {
    let Ok(lock) = File::open(dir.join("stream.lock")) else { return Ok(()) };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            bail!("another process uses {}, and does not answer on kefu.sock", dir.display())
        }
        Err(TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}

/// What a server would find, and which plugins it would serve.
pub(super) async fn lines(config: &Config, report: &mut Report) -> anyhow::Result<()> {
    let settings = app::storage_config(config);
    let looked = async { storage::look(&settings).await.map_err(anyhow::Error::new) };
    match in_time(Box::pin(looked)).await {
        Err(error) => report.line("data", Err(error)),
        Ok(Kept::Nothing) => {
            report.line("data", Ok(Note("no data yet: `kefu serve` makes it".into())))
        }
        Ok(Kept::Other { applied, known }) => report.line("data", other(applied, known)),
        Ok(Kept::Readable(generations)) => {
            report.line("data", Ok(Good("it has this version's form".into())))?;
            super::plugins(&json!({ "generations": generations }), report)
        }
    }
}

fn other(applied: usize, known: usize) -> anyhow::Result<Found> {
    let said = format!("{applied} of {known} migrations applied");
    match applied > known {
        true => Err(anyhow!("{said}: a newer kefu wrote it, run that one")),
        false => Ok(Note(format!("{said}: it needs `kefu migrate`, which `kefu serve` does too"))),
    }
}
