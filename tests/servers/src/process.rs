//! A server process: started with its output in a log file, waited for until its port answers, killed on drop.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Below the ports that Linux (32768 on) and others give to outgoing connections: one of these may have taken the port of a
/// server that was killed before it is started again.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port nobody listens on now, another one each time.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let ports = u32::from(PORTS.end - PORTS.start);
    // Programs that run at the same time begin far from each other.
    let begin = std::process::id().wrapping_mul(7919);
    (0..ports)
        .filter_map(|_| {
            let one = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % ports;
            u16::try_from(one).ok().map(|one| PORTS.start + one)
        })
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .with_context(|| format!("no port of {PORTS:?} is free"))
}

/// A child and where it logs.
#[derive(Debug)]
pub(crate) struct Process {
    child: Option<Child>,
    log: PathBuf,
}

impl Process {
    pub(crate) fn new(log: PathBuf) -> Self {
        Self { child: None, log }
    }

    /// Starts it; its output is appended to the log.
    pub(crate) fn start(&mut self, command: &mut Command) -> anyhow::Result<()> {
        self.kill();
        let log = File::options().create(true).append(true).open(&self.log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let name = command.get_program().to_string_lossy().into_owned();
        self.child = Some(command.spawn().with_context(|| format!("{name} cannot be started"))?);
        Ok(())
    }

    /// Asks again and again until `ready` says yes.
    pub(crate) fn wait(
        &mut self,
        within: Duration,
        ready: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        while !ready() {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("it ended with {status}: {}", self.last_words());
            }
            if Instant::now() > deadline {
                bail!("it is not ready after {within:?}: {}", self.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid().context("it does not run")?;
        run(Command::new("kill").args(["-s", name, &pid.to_string()]))
    }

    /// `kill -9`, as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it by a signal and waits, at most half a minute; then kills it.
    pub(crate) fn stop(&mut self, signal: &str) {
        let asked = self.signal(signal);
        let Some(child) = self.child.as_mut().filter(|_| asked.is_ok()) else { return };
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a program to its end; its output is in the error when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    if !output.status.success() {
        let (out, err) = (&output.stdout, &output.stderr);
        let words = [String::from_utf8_lossy(out), String::from_utf8_lossy(err)].concat();
        bail!("{command:?}: {}: {}", output.status, words.trim());
    }
    Ok(())
}

/// Whether something accepts connections there.
pub(crate) fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
}

/// A folder, made empty.
pub(crate) fn emptied(dir: &Path) -> anyhow::Result<PathBuf> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(std::fs::canonicalize(dir)?)
}
