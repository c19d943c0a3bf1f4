//! What happens to a cluster: nodes and servers that die, links that break. One at a time, or several as a seed has it;
//! the same seed does the same again.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Links, NODES};
use crate::proxy::Proxy;

/// How much later everything comes over a slow link.
const SLOW: Duration = Duration::from_millis(100);
/// Until a node that was started again must be ready: what it stands on may just come back itself.
const IN_TIME: Duration = Duration::from_secs(120);

/// A server all nodes stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// The stream.
    Redis,
    /// The journal.
    Kafka,
    /// Rows and the archive.
    Postgres,
}

impl Vendor {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Redis, Self::Kafka, Self::Postgres];
}

/// What becomes of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Connections are closed, new ones at once.
    Cut,
    /// Nothing comes through, and nothing is closed.
    HalfOpen,
    /// Everything comes late.
    Slow,
}

impl Break {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Cut, Self::HalfOpen, Self::Slow];
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of a node.
    NodeDies(usize),
    /// A node does nothing, and then goes on as if no time had passed: what a paused machine does.
    NodeSleeps(usize),
    /// `kill -9` of a server.
    Dies(Vendor),
    /// Between a node and a server.
    Link(usize, Vendor, Break),
}

impl Fault {
    /// Whether both happen to the same thing, so that one cannot end without the other.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Link(one, to, _), Self::Link(another, too, _)) => one == another && to == too,
            (
                Self::NodeDies(one) | Self::NodeSleeps(one),
                Self::NodeDies(another) | Self::NodeSleeps(another),
            ) => one == another,
            _ => self == other,
        }
    }
}

impl Cluster {
    /// It happens.
    ///
    /// # Errors
    /// When it cannot: a node that does not run does not sleep either.
    pub fn suffers(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::NodeDies(node) => self.nodes[node].kill(),
            Fault::NodeSleeps(node) => self.nodes[node].freezes()?,
            Fault::Dies(Vendor::Redis) => self.redis.kill(),
            Fault::Dies(Vendor::Postgres) => self.postgres.kill(),
            Fault::Dies(Vendor::Kafka) => self.kafka.iter_mut().for_each(kefu_servers::Kafka::kill),
            Fault::Link(node, to, how) => {
                if let Some(link) = self.links[node].to(to) {
                    match how {
                        Break::Cut => link.cut(),
                        Break::HalfOpen => link.swallows(),
                        Break::Slow => link.slows(SLOW),
                    }
                }
            }
        }
        Ok(())
    }

    /// It is over: what died is started again, on what it had.
    ///
    /// # Errors
    /// When something does not come up again.
    pub async fn recovers(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::NodeDies(node) => self.revives(node).await?,
            Fault::NodeSleeps(node) => self.nodes[node].thaws()?,
            Fault::Dies(Vendor::Redis) => block_in_place(|| self.redis.restart())?,
            Fault::Dies(Vendor::Postgres) => block_in_place(|| self.postgres.restart())?,
            Fault::Dies(Vendor::Kafka) => {
                let kafka = self.kafka.as_mut().context("Kafka is not ours")?;
                block_in_place(|| kafka.restart())?;
            }
            Fault::Link(node, to, _) => {
                if let Some(link) = self.links[node].to(to) {
                    link.passes();
                }
            }
        }
        Ok(())
    }

    /// Starts a node again and again, as whoever supervises processes does.
    async fn revives(&mut self, node: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + IN_TIME;
        loop {
            match self.nodes[node].starts().await {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(500)).await,
            }
        }
    }
}

impl Links {
    fn to(&self, vendor: Vendor) -> Option<&Proxy> {
        match vendor {
            Vendor::Redis => Some(&self.redis),
            Vendor::Kafka => self.kafka.as_ref(),
            Vendor::Postgres => Some(&self.postgres),
        }
    }
}

/// One thing to do of a [`Mix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Wait(Duration),
    /// A fault begins.
    Begin(Fault),
    /// It is over.
    End(Fault),
}

/// Faults as a seed has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    /// The seed.
    pub seed: u64,
    /// In this order.
    pub steps: Vec<Step>,
}

impl Mix {
    /// The seed that `KEFU_SEED` names, or any.
    ///
    /// # Errors
    /// When what it names is no number.
    pub fn seed() -> anyhow::Result<u64> {
        match std::env::var_os("KEFU_SEED") {
            None => Ok(u64::from(u32::from_le_bytes(kefu::runtime::random_bytes()))),
            Some(seed) => seed.to_str().and_then(|seed| seed.parse().ok()).context("KEFU_SEED"),
        }
    }

    /// So many times one to three faults together; none lasts longer than about `longest_ms`. Nodes come back last, since
    /// they do not start without what they stand on.
    #[must_use]
    pub fn of(seed: u64, times: usize, longest_ms: u64) -> Self {
        let mut dice = Dice(seed);
        let mut steps = Vec::new();
        for _ in 0..times {
            let mut faults: Vec<Fault> = Vec::new();
            for _ in 0..=dice.below(3) {
                let fault = dice.fault();
                if !faults.iter().any(|other| other.meets(fault)) {
                    faults.push(fault);
                }
            }
            for fault in &faults {
                steps.push(Step::Wait(dice.up_to(longest_ms / 4)));
                steps.push(Step::Begin(*fault));
            }
            steps.push(Step::Wait(dice.up_to(longest_ms)));
            faults.sort_by_key(|fault| matches!(fault, Fault::NodeDies(_)));
            for fault in faults {
                steps.push(Step::Wait(dice.up_to(longest_ms / 4)));
                steps.push(Step::End(fault));
            }
            steps.push(Step::Wait(dice.up_to(longest_ms)));
        }
        Self { seed, steps }
    }

    /// Does all of it.
    ///
    /// # Errors
    /// When something does not come up again.
    pub async fn happens(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        for step in &self.steps {
            match *step {
                Step::Wait(long) => sleep(long).await,
                Step::Begin(fault) => cluster.suffers(fault)?,
                Step::End(fault) => {
                    cluster.recovers(fault).await.with_context(|| format!("{fault:?}"))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KEFU_SEED={}", self.seed)?;
        for step in &self.steps {
            match step {
                Step::Wait(long) => write!(f, ", {long:?}")?,
                Step::Begin(fault) => write!(f, ", {fault:?}")?,
                Step::End(fault) => write!(f, ", no more {fault:?}")?,
            }
        }
        Ok(())
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014): the same numbers for the same seed, for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, many: usize) -> usize {
        (self.roll() % many as u64) as usize
    }

    fn up_to(&mut self, ms: u64) -> Duration {
        Duration::from_millis(self.roll() % (ms + 1))
    }

    fn fault(&mut self) -> Fault {
        let vendor = Vendor::ALL[self.below(3)];
        match self.below(5) {
            0 => Fault::NodeDies(self.below(NODES)),
            1 => Fault::NodeSleeps(self.below(NODES)),
            2 => Fault::Dies(vendor),
            _ => Fault::Link(self.below(NODES), vendor, Break::ALL[self.below(3)]),
        }
    }
}

#[cfg(test)]
mod tests;
