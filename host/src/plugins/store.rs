//! Installing, activating and rolling back: what changes in storage and in memory together.

use std::sync::Arc;

use super::engine::{Linked, Runner};
use super::generations::Ready;
use super::intake::{Taken, Vouched};
use super::package::Package;
use super::trust::Trust;
use super::{Install, Parts, Plugins, PluginsConfig, Refused, admission, intake, schema};
use crate::domain::ids::GenerationId;
use crate::domain::plugin::{Point, Require};
use crate::runtime;
use crate::storage::{Generation, Origin, Stage};

/// Compiled components by their digest, the latest last: what is activated was compiled when it was installed, what is
/// rolled back to when it served. About a megabyte each.
pub(super) type Compiled = Vec<(String, Linked)>;

const COMPILED_KEPT: usize = 8;

impl Plugins {
    /// Checks a component with its config, asks it the admission cases, and keeps it. It does not serve yet.
    ///
    /// # Errors
    /// [`Refused::Rejected`] when it may not serve; says why.
    pub async fn install(&self, install: Install) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        // Before anything is revoked or after: not in between.
        let mut kept = parts.compiling.lock().await;
        let taken = parts.taken(install).await?;
        let rest = taken.package.as_ref().map(Package::rest).transpose();
        let rest = rest.map_err(Refused::Rejected)?;
        let component = Arc::clone(&taken.component);
        let mut row = compile(parts, &mut kept, taken, true).await?.row;
        row.number = parts.storage.add_generation(&row, &component, rest.as_deref()).await?;
        Ok(row)
    }

    /// As [`Plugins::install`] of a component that is the program's own and known to pass: it is not even compiled before it
    /// is to serve, so that a first start does not wait for what may never be used.
    ///
    /// # Errors
    /// [`Refused::Rejected`] when it is no component at all.
    pub async fn shelve(&self, install: Install, point: Point) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let Taken { mut row, component, .. } = parts.taken(install).await?;
        row.point = point;
        intake::budget(&mut row, None, &parts.config).map_err(Refused::Rejected)?;
        row.number = parts.storage.add_generation(&row, &component, None).await?;
        Ok(row)
    }

    /// Keeps the code of a generation with another config, as a new generation. Trust and cases are asked as when it came.
    ///
    /// # Errors
    /// [`Refused::NotFound`]; [`Refused::Rejected`] when it may not serve; says why.
    pub async fn configure(
        &self,
        id: GenerationId,
        config: String,
        created_by: String,
    ) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let row = parts.generation(id).await?;
        let component = parts.storage.component(id).await?.ok_or(Refused::NotFound)?;
        let bytes = match parts.package(&row, &component).await? {
            Some(package) => package.bytes().map_err(Refused::Rejected)?,
            None => component,
        };
        let named = (row.name, row.plugin_version);
        self.install(Install { bytes, named, origin: row.origin, config, created_by }).await
    }

    /// Lets a generation serve; calls in flight end on the one they began with.
    ///
    /// # Errors
    /// [`Refused::NotFound`]; [`Refused::Rejected`] when it is no longer allowed, or no longer passes.
    pub async fn activate(&self, id: GenerationId) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let mut kept = parts.compiling.lock().await;
        let stored = parts.stored(parts.generation(id).await?).await?;
        let mut ready = compile(parts, &mut kept, stored, true).await?;
        let now = parts.clock.now();
        if !parts.storage.activate(id, now).await? {
            return Err(Refused::NotFound);
        }
        ready.row.stage = Stage::Active;
        ready.row.activated_at = Some(now);
        ready.row.fault = None;
        let row = ready.row.clone();
        self.slot(row.point).serve(ready);
        tracing::info!(generation = %id, name = row.name, "plugin generation serves");
        Ok(row)
    }

    /// Goes back to the generation that served before.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when none did.
    pub async fn rollback(&self, point: Point) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let before = parts.retired(point).await?.into_iter().max_by_key(|row| row.activated_at);
        self.activate(before.ok_or(Refused::NotFound)?.id).await
    }

    /// All generations, newest first.
    ///
    /// # Errors
    /// When storage is away.
    pub async fn list(&self) -> Result<Vec<Generation>, Refused> {
        Ok(self.parts()?.storage.generations().await?)
    }

    /// Loads what was active when the server stopped. One that is no longer allowed, or no longer loads, is quarantined, and
    /// the one before it serves; it is not fatal.
    pub(super) async fn restore(&self) -> Result<(), Refused> {
        let parts = self.parts()?;
        let mut out = Vec::new();
        for row in parts.storage.generations().await? {
            if row.stage != Stage::Active {
                continue;
            }
            let (id, point) = (row.id, row.point);
            let mut kept = parts.compiling.lock().await;
            let loaded = match parts.stored(row).await {
                Ok(stored) => compile(parts, &mut kept, stored, false).await,
                Err(refused) => Err(refused),
            };
            match loaded {
                Ok(ready) => self.slot(point).serve(ready),
                Err(Refused::Storage(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::error!(generation = %id, %error, "active plugin does not load");
                    out.push((id, point, error.to_string()));
                }
            }
        }
        for (id, point, why) in out {
            self.persist_quarantine(id, point, &why).await;
        }
        Ok(())
    }

    /// Keeps the quarantine of a generation and goes back to the one before, if there is one.
    pub(super) async fn persist_quarantine(&self, id: GenerationId, point: Point, why: &str) {
        let Ok(parts) = self.parts() else { return };
        if let Err(error) = parts.storage.quarantine(id, why).await {
            tracing::error!(generation = %id, %error, "quarantine could not be stored");
            return;
        }
        if self.slot(point).active.load().is_some() {
            return;
        }
        match self.fall_back(point).await {
            Ok(row) => tracing::warn!(generation = %row.id, "rolled back after quarantine"),
            Err(Refused::NotFound) => {}
            Err(error) => tracing::error!(%error, "no roll-back after quarantine"),
        }
    }
}

impl Parts {
    /// What comes in, held against the rules that need no engine.
    async fn taken(&self, install: Install) -> Result<Taken, Refused> {
        let id = GenerationId::new(runtime::fresh_id(&self.clock))
            .ok_or_else(|| Refused::Rejected("no id could be made".into()))?;
        let now = self.clock.now();
        let (trust, vouched) = (self.trust().await?, self.vouched().await?);
        on_a_thread(move || intake::take(install, &trust, &vouched, (id, now))).await
    }

    pub(super) async fn generation(&self, id: GenerationId) -> Result<Generation, Refused> {
        let all = self.storage.generations().await?;
        all.into_iter().find(|row| row.id == id).ok_or(Refused::NotFound)
    }

    /// A generation with its component and package, if it may serve: its signature is looked at again, and what is
    /// trusted and revoked now.
    async fn stored(&self, row: Generation) -> Result<Taken, Refused> {
        let component = self.storage.component(row.id).await?.ok_or(Refused::NotFound)?;
        let package = self.package(&row, &component).await?;
        if row.origin == Origin::Installed {
            self.trust().await?.examine(package.as_ref()).map_err(Refused::Rejected)?;
        }
        Ok(Taken { row, component: component.into(), package })
    }
}

/// Compiles off the hot threads, unless it was compiled lately; with `examined`, also asks the admission cases.
async fn compile(
    parts: &Parts,
    kept: &mut Compiled,
    taken: Taken,
    examined: bool,
) -> Result<Ready, Refused> {
    let (runner, config) = (parts.runner.clone(), parts.config.clone());
    let known = kept.iter().find(|(digest, _)| *digest == taken.row.digest);
    let known = known.map(|(_, linked)| linked.clone());
    let work = move || prove(taken, known, (&runner, &config), examined);
    let (ready, linked) = on_a_thread(move || work().map_err(Refused::Rejected)).await?;
    kept.retain(|(digest, _)| *digest != ready.row.digest);
    if kept.len() == COMPILED_KEPT {
        kept.remove(0);
    }
    kept.push((ready.row.digest.clone(), linked));
    Ok(ready)
}

/// Holds what was taken in against the rules that need the engine; with `examined`, also against its cases.
fn prove(
    taken: Taken,
    known: Option<Linked>,
    (runner, config): (&Runner, &PluginsConfig),
    examined: bool,
) -> Result<(Ready, Linked), String> {
    let Taken { mut row, component, package } = taken;
    if let Some(package) = &package {
        intake::suits(package)?;
    }
    let linked = match known {
        Some(linked) => linked,
        None => runner.load(&component).map_err(|error| error.to_string())?,
    };
    match &package {
        Some(package) => schema::hold(package.schema(), &row.config)?,
        None => schema::check(&component, &row.config)?,
    }
    row.point = linked.point();
    intake::budget(&mut row, package.as_ref().map(Package::manifest), config)?;
    let ready = Ready::new(row, runner.clone(), linked.clone());
    ready.try_start().map_err(|why| format!("config: {why}"))?;
    if examined {
        admission::examine(&ready).map_err(|why| format!("admission case: {why}"))?;
        if let Some(package) = &package {
            admission::examine_own(&ready, package, (runner, &linked))?;
        }
    }
    Ok((ready, linked))
}

/// Asks a package, without a server, everything that one with the default budgets asks before it keeps it, but for trust.
///
/// # Errors
/// Which rule it breaks.
pub fn try_out(package: Vec<u8>, config: String) -> Result<(), String> {
    let install = Install {
        bytes: package,
        named: (String::new(), String::new()),
        origin: Origin::Installed,
        config,
        created_by: String::new(),
    };
    let trust = Trust { require: Require::None, keys: Vec::new(), revocations: Vec::new() };
    let id = GenerationId::new(1).ok_or("1 is no id")?;
    let taken = intake::take(install, &trust, &Vouched::new(), (id, 0));
    let taken = taken.map_err(|refused| refused.to_string())?;
    let config = PluginsConfig::default();
    let runner = Runner::new(&config)?;
    prove(taken, None, (&runner, &config), true).map(drop)
}

/// What takes more than a moment.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Refused::Rejected(format!("compiling broke: {error}")))?
}
