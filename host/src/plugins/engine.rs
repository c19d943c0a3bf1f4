//! The engine: compiles components, links them, and runs calls inside their budgets. The only file, besides the
//! generated bindings, that knows wasmtime.
//!
//! Time is bounded twice: fuel counts work and is the same on every machine; the epoch, raised by one thread, is the
//! net for what fuel does not see. Memory is bounded per instance and in total. An instance that trapped is never
//! used again: its `Live` is dropped by the caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter,
    Store,
};

use super::PluginsConfig;
use super::bindings::{filter, inspection, routing};
use super::shape::interface;
use crate::domain::plugin::Point;

const TICK: Duration = Duration::from_millis(5);
const MIB: usize = 1 << 20;
/// Instances at one time. They cost address space only: memory is bounded by what they hold, see [`Budget`].
const SLOTS: u32 = 256;
/// Slots without an instance whose pages are kept for the next one, at most 1 MiB each.
const UNUSED_SLOTS: u32 = 16;

/// One engine for the whole process.
#[derive(Clone)]
pub(super) struct Runner {
    engine: Engine,
    memory: Arc<Budget>,
}

/// Memory of all instances together.
struct Budget {
    used: AtomicUsize,
    most: usize,
    each: usize,
}

/// What a store carries: its share of the memory.
pub(super) struct Share {
    budget: Arc<Budget>,
    held: usize,
    most: usize,
}

/// What one call may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Fuel.
    pub(super) fuel: u64,
    /// Wall time, ms.
    pub(super) deadline_ms: u32,
    /// Memory of the instance, MiB; counts when it is made.
    pub(super) memory_mb: u32,
}

/// A compiled and linked component; instances are made from it. A clone shares the code.
#[derive(Clone)]
pub(super) enum Linked {
    Routing(routing::RoutingPluginPre<Share>),
    Filter(filter::FilterPluginPre<Share>),
    Inspection(inspection::InspectionPluginPre<Share>),
}

/// A configured instance.
pub(super) struct Live {
    store: Store<Share>,
    guest: Guest,
}

enum Guest {
    Routing(routing::RoutingPlugin),
    Filter(filter::FilterPlugin),
    Inspection(inspection::InspectionPlugin),
}

/// What came back: the plugin's own result, or how it broke.
pub(super) type Reply<T> = Result<Result<Option<T>, String>, String>;

impl Runner {
    pub(super) fn new(config: &PluginsConfig) -> Result<Self, String> {
        let each = config.instance_memory_mb as usize * MIB;
        let most = (config.total_memory_mb as usize * MIB).max(each);
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(SLOTS)
            .total_core_instances(SLOTS * 4)
            .total_memories(SLOTS)
            .total_tables(SLOTS * 4)
            .max_memory_size(each)
            .max_unused_warm_slots(UNUSED_SLOTS)
            .linear_memory_keep_resident(MIB)
            .pagemap_scan(Enabled::Auto);
        let mut settings = Config::new();
        settings
            .wasm_component_model(true)
            .wasm_relaxed_simd(false)
            .wasm_backtrace_max_frames(None)
            .consume_fuel(true)
            .epoch_interruption(true)
            .cranelift_nan_canonicalization(true)
            .max_wasm_stack(512 << 10)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&settings).map_err(words)?;
        tick(&engine)?;
        let memory = Arc::new(Budget { used: AtomicUsize::new(0), most, each });
        Ok(Self { engine, memory })
    }

    /// Compiles and links. Takes tens to hundreds of milliseconds: call it off the hot threads.
    pub(super) fn load(&self, bytes: &[u8]) -> Result<Linked, LoadError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(LoadError::NotWasm);
        }
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| LoadError::Invalid(words(error)))?;
        let exports = [Point::Routing, Point::Filter, Point::Inspection]
            .into_iter()
            .filter(|point| component.get_export_index(None, &*interface(*point)).is_some())
            .collect::<Vec<_>>();
        let &[point] = exports.as_slice() else {
            return Err(LoadError::Exports(exports.len()));
        };
        let ready = Linker::<Share>::new(&self.engine)
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Imports(words(error)))?;
        match point {
            Point::Routing => routing::RoutingPluginPre::new(ready).map(Linked::Routing),
            Point::Filter => filter::FilterPluginPre::new(ready).map(Linked::Filter),
            Point::Inspection => {
                inspection::InspectionPluginPre::new(ready).map(Linked::Inspection)
            }
        }
        .map_err(|error| LoadError::Shape(words(error)))
    }

    /// A fresh instance that has taken its config. The outer error is a fault, the inner the plugin's refusal.
    pub(super) fn start(
        &self,
        linked: &Linked,
        config: &str,
        limits: Limits,
    ) -> Result<Result<Live, String>, String> {
        let most = self.memory.each.min(limits.memory_mb as usize * MIB);
        let share = Share { budget: Arc::clone(&self.memory), held: 0, most };
        let mut store = Store::new(&self.engine, share);
        store.limiter(|share| share);
        arm(&mut store, limits).map_err(words)?;
        let (guest, answer) = match linked {
            Linked::Routing(pre) => {
                let guest = pre.instantiate(&mut store).map_err(words)?;
                let answer = guest.kefu_routing_routing().call_configure(&mut store, config);
                (Guest::Routing(guest), answer)
            }
            Linked::Filter(pre) => {
                let guest = pre.instantiate(&mut store).map_err(words)?;
                let answer = guest.kefu_filter_filter().call_configure(&mut store, config);
                (Guest::Filter(guest), answer)
            }
            Linked::Inspection(pre) => {
                let guest = pre.instantiate(&mut store).map_err(words)?;
                let answer = guest.kefu_inspection_inspection().call_configure(&mut store, config);
                (Guest::Inspection(guest), answer)
            }
        };
        Ok(answer.map_err(words)?.map(|()| Live { store, guest }))
    }
}

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("it is not WebAssembly, and not a package")]
    NotWasm,
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    #[error("it must export exactly one of kefu's plugin interfaces, exports {0}")]
    Exports(usize),
    #[error("it imports what plugins are not given: {0}")]
    Imports(String),
    #[error("its export does not have the shape of the interface: {0}")]
    Shape(String),
}

impl Linked {
    pub(super) fn point(&self) -> Point {
        match self {
            Self::Routing(_) => Point::Routing,
            Self::Filter(_) => Point::Filter,
            Self::Inspection(_) => Point::Inspection,
        }
    }
}

impl Live {
    /// Fills up the budgets for the next call.
    pub(super) fn arm(&mut self, limits: Limits) -> Result<(), String> {
        arm(&mut self.store, limits).map_err(words)
    }

    /// What is left of the fuel.
    pub(super) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or(0)
    }

    pub(super) fn rank(&mut self, input: &routing::Input) -> Reply<routing::Ranking> {
        let Guest::Routing(guest) = &self.guest else { return Err(WRONG_POINT.into()) };
        guest.kefu_routing_routing().call_rank(&mut self.store, input).map_err(words)
    }

    pub(super) fn judge(&mut self, input: &filter::Input) -> Reply<filter::Verdict> {
        let Guest::Filter(guest) = &self.guest else { return Err(WRONG_POINT.into()) };
        guest.kefu_filter_filter().call_judge(&mut self.store, input).map_err(words)
    }

    pub(super) fn inspect(&mut self, input: &inspection::Input) -> Reply<inspection::Scorecard> {
        let Guest::Inspection(guest) = &self.guest else { return Err(WRONG_POINT.into()) };
        guest.kefu_inspection_inspection().call_inspect(&mut self.store, input).map_err(words)
    }
}

const WRONG_POINT: &str = "the component serves another point";

fn arm(store: &mut Store<Share>, limits: Limits) -> wasmtime::Result<()> {
    let ticks = u64::from(limits.deadline_ms).div_ceil(TICK.as_millis() as u64) + 1;
    store.set_epoch_deadline(ticks);
    store.set_fuel(limits.fuel)
}

/// Raises the epoch for as long as the engine lives.
fn tick(engine: &Engine) -> Result<(), String> {
    let engine = engine.weak();
    let body = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("plugin-epoch".into())
        .spawn(body)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// The whole chain of an error, bounded.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn words(error: wasmtime::Error) -> String {
    let mut text = format!("{error:#}");
    if text.len() > 500 {
        text.truncate(text.floor_char_boundary(500));
    }
    text
}

impl ResourceLimiter for Share {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if desired > self.most {
            return Ok(false);
        }
        let before = self.budget.used.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.budget.most {
            self.budget.used.fetch_sub(more, Ordering::Relaxed);
            return Ok(false);
        }
        self.held += more;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 20_000)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.held, Ordering::Relaxed);
    }
}
