//! Plugins: the decisions that an operator can replace while the server runs.
//!
//! A call takes the active generation of its point, runs it inside its budgets, checks the answer, and returns an
//! [`Answer`] that says how it ended. Never waits, never fails: where no plugin answers, the caller falls back.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;

use crate::domain::inspection::Scorecard;
use crate::domain::plugin::{
    Answer, FilterInput, InspectionInput, Outcome, Point, Ranking, Require, RoutingInput, Verdict,
};
use crate::runtime::{self, Clock};
use crate::storage::{self, Origin, StorageError};

mod admission;
mod authority;
mod bindings;
mod engine;
mod filter;
mod generations;
mod inspection;
mod intake;
pub mod keys;
pub mod package;
mod routing;
mod schema;
pub mod shape;
mod shipped;
mod stats;
mod store;
pub mod trust;

use engine::{Live, Reply, Runner};
use generations::Ready;
use stats::{Tallies, Tally};

pub use intake::{suits, wrapped as component};
pub use stats::{PointStats, Served, Times};
pub use store::try_out;

/// What plugins may use.
#[derive(Debug, Clone)]
pub struct PluginsConfig {
    /// Memory of all instances together, MiB.
    pub total_memory_mb: u32,
    /// Memory of one instance, MiB.
    pub instance_memory_mb: u32,
    /// Which may serve.
    pub require: Require,
    /// A generation is quarantined at this many faults, unless 16 good calls lie between each two.
    pub quarantine_after: u32,
    /// What one call may use.
    pub budgets: Budgets,
}

/// Fuel and wall time (ms) of one call, per point. Kept with each generation at installation.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    /// `rank`.
    pub routing: (u64, u32),
    /// `judge`.
    pub filter: (u64, u32),
    /// `inspect`.
    pub inspection: (u64, u32),
}

impl Default for PluginsConfig {
    fn default() -> Self {
        let budgets = Budgets {
            routing: (20_000_000, 250),
            filter: (20_000_000, 250),
            inspection: (500_000_000, 2000),
        };
        Self {
            total_memory_mb: 256,
            instance_memory_mb: 16,
            require: Require::Trusted,
            quarantine_after: 5,
            budgets,
        }
    }
}

impl Budgets {
    fn of(&self, point: Point) -> (u64, u32) {
        match point {
            Point::Routing => self.routing,
            Point::Filter => self.filter,
            Point::Inspection => self.inspection,
        }
    }
}

/// The plugin host could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine refuses its settings or the machine cannot run it.
    #[error("the plugin engine does not start: {0}")]
    Engine(String),
    /// Storage did not answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What was active could not be restored.
    #[error("plugins could not be restored: {0}")]
    Restore(String),
}

/// Why a generation was not installed or activated.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It may not serve: the component, its config or an admission case is wrong.
    #[error("{0}")]
    Rejected(String),
    /// There is no such generation, or none to roll back to.
    #[error("no such plugin generation")]
    NotFound,
    /// It serves, and what serves is not removed.
    #[error("it serves: let another generation of its point serve first")]
    Serves,
    /// Storage did not answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<Refused> for PluginError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Storage(error) => Self::Storage(error),
            other => Self::Restore(other.to_string()),
        }
    }
}

/// What is to be installed.
#[derive(Debug, Clone)]
pub struct Install {
    /// A package, a component, or the core module of one.
    pub bytes: Vec<u8>,
    /// Name and version of what comes without a package.
    pub named: (String, String),
    /// How it comes.
    pub origin: Origin,
    /// Its config: a JSON object.
    pub config: String,
    /// Login of who installs it, or `kefu`.
    pub created_by: String,
}

/// The plugin host. `Plugins::default()` is one without any: every call is `Absent`.
#[derive(Default)]
pub struct Plugins {
    parts: Option<Parts>,
    /// For the tasks that keep a quarantine.
    me: Weak<Plugins>,
    routing: Slot,
    filter: Slot,
    inspection: Slot,
}

struct Parts {
    storage: storage::Handle,
    runner: Runner,
    config: PluginsConfig,
    clock: Clock,
    tasks: tokio::runtime::Handle,
    /// One compilation and one change of generations at a time.
    compiling: tokio::sync::Mutex<store::Compiled>,
}

#[derive(Default)]
struct Slot {
    active: ArcSwapOption<Serving>,
    tallies: Tallies,
}

/// A generation in charge, and where its calls are counted.
struct Serving {
    ready: Ready,
    tally: Arc<Tally>,
}

impl Slot {
    /// From now on calls go to this one.
    fn serve(&self, ready: Ready) {
        let tally = self.tallies.of(&ready.row);
        self.active.store(Some(Arc::new(Serving { ready, tally })));
    }
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plugins")
    }
}

impl Plugins {
    /// Starts the engine and loads the active generations.
    ///
    /// # Errors
    /// When the engine or storage does not work. A plugin that no longer loads is quarantined instead.
    pub async fn open(
        storage: storage::Handle,
        config: PluginsConfig,
        clock: Clock,
    ) -> Result<Arc<Self>, PluginError> {
        let runner = Runner::new(&config).map_err(PluginError::Engine)?;
        let tasks = tokio::runtime::Handle::current();
        let compiling = tokio::sync::Mutex::default();
        let parts = Parts { storage, runner, config, clock, tasks, compiling };
        let plugins =
            Arc::new_cyclic(|me| Self { parts: Some(parts), me: me.clone(), ..Self::default() });
        plugins.restore().await?;
        Ok(plugins)
    }

    /// Scores all candidates in one call. Synchronous and bounded (about 10 µs for 50 candidates).
    pub fn rank(&self, input: &RoutingInput) -> Answer<Ranking> {
        let check = |got| routing::checked(input.candidates.len(), got);
        self.call(Point::Routing, |live| live.rank(&routing::given(input)), check)
    }

    /// Judges one draft. Synchronous and bounded (about 10 µs for 200 bytes).
    pub fn judge(&self, input: &FilterInput) -> Answer<Verdict> {
        let check = |got| filter::checked(&input.text, got);
        self.call(Point::Filter, |live| live.judge(&filter::given(input)), check)
    }

    /// Scores one closed conversation. May take milliseconds: call it off the hot tasks.
    pub fn inspect(&self, input: &InspectionInput) -> Answer<Scorecard> {
        let check = |got| inspection::checked(&input.lines, got);
        self.call(Point::Inspection, |live| live.inspect(&inspection::given(input)), check)
    }

    /// Makes instances of whoever serves, `many` of each, so that the first decisions find one. Blocks for their making.
    ///
    /// # Errors
    /// Why one cannot be made; its point falls back when it is asked.
    pub fn warm(&self, many: usize) -> Result<(), String> {
        for point in [Point::Routing, Point::Filter, Point::Inspection] {
            if let Some(serving) = self.slot(point).active.load_full() {
                let named = |why| format!("{}: {why}", point.word());
                serving.ready.warm(many).map_err(named)?;
            }
        }
        Ok(())
    }

    /// Counts and times of each point and generation since the start.
    pub fn stats(&self) -> [PointStats; 3] {
        [Point::Routing, Point::Filter, Point::Inspection]
            .map(|point| self.slot(point).tallies.read(point))
    }

    fn call<R, T>(
        &self,
        point: Point,
        call: impl FnOnce(&mut Live) -> Reply<R>,
        check: impl FnOnce(R) -> Result<T, String>,
    ) -> Answer<T> {
        let slot = self.slot(point);
        let Some(serving) = slot.active.load_full() else {
            slot.tallies.absent();
            return absent();
        };
        let Serving { ready, tally } = serving.as_ref();
        let answer = ready.ask(call, check);
        let took = std::time::Duration::from_micros(answer.micros);
        tally.record(answer.outcome, took, answer.fuel);
        if let Some(why) = &answer.detail {
            let (generation, outcome) = (ready.row.id, answer.outcome);
            tracing::warn!(%generation, ?outcome, why, "a plugin did not answer");
        }
        let limit = self.parts.as_ref().map_or(u32::MAX, |parts| parts.config.quarantine_after);
        if ready.strained(answer.outcome, limit) {
            self.take_out(slot, &serving, answer.detail.as_deref().unwrap_or("fault"));
        }
        answer
    }

    /// Takes a generation out at once; storage and the roll-back follow in a task.
    fn take_out(&self, slot: &Slot, serving: &Arc<Serving>, why: &str) {
        let was = slot.active.compare_and_swap(&Some(Arc::clone(serving)), None);
        if !was.as_ref().is_some_and(|was| Arc::ptr_eq(was, serving)) {
            return;
        }
        let Serving { ready, .. } = serving.as_ref();
        let (id, point, why) = (ready.row.id, ready.point(), why.to_owned());
        tracing::error!(generation = %id, why, "plugin generation quarantined");
        let (Some(parts), Some(me)) = (&self.parts, self.me.upgrade()) else { return };
        let _in_runtime = parts.tasks.enter();
        drop(runtime::spawn(async move { me.persist_quarantine(id, point, &why).await }));
    }

    fn slot(&self, point: Point) -> &Slot {
        match point {
            Point::Routing => &self.routing,
            Point::Filter => &self.filter,
            Point::Inspection => &self.inspection,
        }
    }

    fn parts(&self) -> Result<&Parts, Refused> {
        self.parts.as_ref().ok_or_else(|| Refused::Rejected("this host takes no plugins".into()))
    }
}

fn absent<T>() -> Answer<T> {
    Answer {
        value: None,
        outcome: Outcome::Absent,
        generation: None,
        digest: None,
        fuel: 0,
        micros: 0,
        detail: None,
    }
}

#[cfg(test)]
mod tests;
