//! `kefu doctor`: looks at what usually goes wrong, and says what is in force.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, bail};

use super::link::Link;
use super::say;
use crate::config::Config;

/// Below this many open files a busy server runs out of connections.
const FILES_WANTED: u64 = 4096;

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut wrong = 0_u32;
    let mut report = |what: &str, outcome: anyhow::Result<String>| {
        let line = match outcome {
            Ok(detail) => format!("ok     {what}: {detail}"),
            Err(error) => {
                wrong += 1;
                format!("WRONG  {what}: {error:#}")
            }
        };
        say(&line)
    };
    report("config", Ok("no mistakes".into()))?;
    report("data directory", data_dir(&config))?;
    report("open files", open_files())?;
    report("exposure", exposure(&config))?;
    report("plugins embedded", Ok("see `kefu plugin list`".into()))?;
    report("acks", Ok("an acked message survives power loss (synchronous=FULL)".into()))?;
    let outcome = server(config).await;
    report("server", outcome)?;
    if wrong > 0 {
        bail!("{wrong} thing(s) wrong");
    }
    Ok(())
}

fn data_dir(config: &Config) -> anyhow::Result<String> {
    let dir = &config.server.data_dir;
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let probe = dir.join(".probe");
    let mut file = std::fs::File::create(&probe)
        .with_context(|| format!("{} cannot be written to", dir.display()))?;
    let begun = Instant::now();
    file.write_all(&[0; 4096])?;
    file.sync_data()?;
    let took = begun.elapsed();
    std::fs::remove_file(&probe)?;
    Ok(format!("{}, fsync {:.1} ms", dir.display(), took.as_secs_f64() * 1000.0))
}

fn open_files() -> anyhow::Result<String> {
    let limits = std::fs::read_to_string("/proc/self/limits").context("limits cannot be read")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)).unwrap_or("0");
    match soft.parse::<u64>() {
        Ok(number) if number < FILES_WANTED => {
            bail!("only {number} may be open; raise `ulimit -n` to {FILES_WANTED} or more")
        }
        _ => Ok(format!("{soft} may be open")),
    }
}

fn exposure(config: &Config) -> anyhow::Result<String> {
    let server = &config.server;
    let open = !server.listen.ip().is_loopback();
    if open && !server.public_url.starts_with("https://") {
        bail!(
            "it listens on {} without an https public_url: passwords go in the clear",
            server.listen
        );
    }
    Ok(format!("listens on {}", server.listen))
}

async fn server(config: Config) -> anyhow::Result<String> {
    let mut link = Link::open(config).await?;
    let plugins = link.get("/v1/plugins").await?;
    let generations = plugins["generations"].as_array().map_or(0, Vec::len);
    let running = if link.is_running() { "runs" } else { "does not run, its data opens well" };
    link.close().await;
    Ok(format!("{running}; {generations} plugin generation(s)"))
}
