//! Kafka: one broker that is its own controller (KRaft), from the jars that Maven brings.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::process::{Process, emptied, free_port, run};
use crate::tools;

/// Any 22 characters of base64 will do; the data folder is its own.
const CLUSTER: &str = "a2VmdS10ZXN0cy1rYWZrYQ";

/// Another way in. A broker tells its clients where to come to, so whoever is to come through a proxy has to be told of
/// the proxy.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// Where the broker listens for it, on 127.0.0.1.
    pub listens: u16,
    /// Where those who came in there are told to come to.
    pub told: u16,
}

/// One broker.
#[derive(Debug)]
pub struct Kafka {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    dir: PathBuf,
    jars: PathBuf,
    process: Process,
}

impl Kafka {
    /// Starts one on a free port with its data in `dir` (emptied first), from the jars that
    /// [`crate::prepare`] put below `target`.
    ///
    /// # Errors
    /// When Java or the jars are missing or it does not come up; its log is in the message.
    pub fn start(dir: &Path, target: &Path) -> anyhow::Result<Self> {
        Self::with_doors(dir, target, &[])
    }

    /// One that has other ways in as well.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn with_doors(dir: &Path, target: &Path, doors: &[Door]) -> anyhow::Result<Self> {
        let dir = emptied(dir)?;
        let jars = tools::jars_in(target);
        let jars = std::fs::canonicalize(jars).context("the jars of Kafka are missing")?;
        let (port, controller) = (free_port()?, free_port()?);
        let properties = properties(&dir, port, controller, doors);
        std::fs::write(dir.join("server.properties"), properties)?;
        let process = Process::new(dir.join("log"));
        let mut kafka = Self { port, dir, jars, process };
        let mut format = kafka.java();
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"]);
        run(format.arg(kafka.dir.join("server.properties")))?;
        kafka.restart()?;
        Ok(kafka)
    }

    /// Starts it again on the same port and data.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        let mut command = self.java();
        command.arg("kafka.Kafka").arg(self.dir.join("server.properties"));
        self.process.start(&mut command).context("java")?;
        let port = self.port;
        let ready = move || crate::process::answers(port);
        self.process.wait(Duration::from_secs(60), ready).context("Kafka")
    }

    /// `127.0.0.1:port`, as clients name a broker.
    #[must_use]
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it by signal 9.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    fn java(&self) -> Command {
        let mut java = Command::new(tools::java().unwrap_or_else(|| "java".into()));
        java.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp"]);
        java.arg(format!("{}/*", self.jars.display()));
        java
    }
}

/// One process in both roles, nothing replicated, and a short session so that a killed broker is back in seconds.
fn properties(dir: &Path, port: u16, controller: u16, doors: &[Door]) -> String {
    let each =
        |line: fn((usize, &Door)) -> String| doors.iter().enumerate().map(line).collect::<String>();
    let listens = each(|(at, door)| format!(",DOOR{at}://127.0.0.1:{}", door.listens));
    let told = each(|(at, door)| format!(",DOOR{at}://127.0.0.1:{}", door.told));
    let plain = each(|(at, _)| format!(",DOOR{at}:PLAINTEXT"));
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listens}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}{told}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{plain}\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.num.partitions=1\n\
         transaction.state.log.min.isr=1\n\
         min.insync.replicas=1\n\
         group.initial.rebalance.delay.ms=0\n\
         broker.session.timeout.ms=2000\n\
         broker.heartbeat.interval.ms=500\n",
        dir.join("data").display()
    )
}
