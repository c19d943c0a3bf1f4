//! Installing, activating and rolling back: what changes in storage and in memory together.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::admission;
use super::engine::Linked;
use super::generations::Ready;
use super::{Install, Parts, Plugins, Refused, schema};
use crate::domain::ids::GenerationId;
use crate::domain::plugin::Point;
use crate::runtime;
use crate::storage::{Generation, Stage};

/// Compiled components by their digest, the latest last: what is activated was compiled when it was installed, what is
/// rolled back to when it served. About a megabyte each.
pub(super) type Compiled = Vec<(String, Linked)>;

const COMPILED_KEPT: usize = 8;
const LARGEST_CONFIG: usize = 256 << 10;
const LONGEST_NAME: usize = 64;
/// How a core module begins, as opposed to a component.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

impl Plugins {
    /// Checks a component with its config, asks it the admission cases, and keeps it. It does not serve yet.
    ///
    /// # Errors
    /// [`Refused::Rejected`] when it may not serve; says why.
    pub async fn install(&self, install: Install) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let (row, component) = parts.taken(install).await?;
        let mut kept = parts.compiling.lock().await;
        let mut row = compile(parts, &mut kept, row, Arc::clone(&component), true).await?.row;
        row.number = parts.storage.add_generation(&row, &component).await?;
        Ok(row)
    }

    /// As [`Plugins::install`] of what is the program's own and known to pass: it is not even compiled before it is to
    /// serve, so that a first start does not wait for what may never be used.
    ///
    /// # Errors
    /// [`Refused::Rejected`] when it is no component at all.
    pub async fn shelve(&self, install: Install, point: Point) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let (mut row, component) = parts.taken(install).await?;
        row.point = point;
        (row.fuel, row.deadline_ms) = parts.config.budgets.of(point);
        row.number = parts.storage.add_generation(&row, &component).await?;
        Ok(row)
    }

    /// Lets a generation serve; calls in flight end on the one they began with.
    ///
    /// # Errors
    /// [`Refused::NotFound`]; [`Refused::Rejected`] when its component no longer passes.
    pub async fn activate(&self, id: GenerationId) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let mut kept = parts.compiling.lock().await;
        let row = parts.generation(id).await?;
        let component = parts.storage.component(id).await?.ok_or(Refused::NotFound)?;
        let mut ready = compile(parts, &mut kept, row, component.into(), true).await?;
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
        let all = parts.storage.generations().await?;
        let before = all
            .iter()
            .filter(|row| row.point == point && row.stage == Stage::Retired)
            .max_by_key(|row| row.activated_at);
        self.activate(before.ok_or(Refused::NotFound)?.id).await
    }

    /// All generations, newest first.
    ///
    /// # Errors
    /// When storage is away.
    pub async fn list(&self) -> Result<Vec<Generation>, Refused> {
        Ok(self.parts()?.storage.generations().await?)
    }

    /// Loads what was active when the server stopped. One that no longer loads is quarantined, not fatal.
    pub(super) async fn restore(&self) -> Result<(), Refused> {
        let parts = self.parts()?;
        let mut kept = parts.compiling.lock().await;
        for row in parts.storage.generations().await? {
            if row.stage != Stage::Active {
                continue;
            }
            let (id, point) = (row.id, row.point);
            let Some(component) = parts.storage.component(id).await? else { continue };
            match compile(parts, &mut kept, row, component.into(), false).await {
                Ok(ready) => self.slot(point).serve(ready),
                Err(error) => {
                    tracing::error!(generation = %id, %error, "active plugin does not load");
                    parts.storage.quarantine(id, &error.to_string()).await?;
                }
            }
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
        match self.rollback(point).await {
            Ok(row) => tracing::warn!(generation = %row.id, "rolled back after quarantine"),
            Err(Refused::NotFound) => {}
            Err(error) => tracing::error!(%error, "no roll-back after quarantine"),
        }
    }
}

impl Parts {
    /// A generation and its component as they will be kept, but for what compiling tells: point and budget.
    async fn taken(&self, install: Install) -> Result<(Generation, Arc<[u8]>), Refused> {
        check_size(&install)?;
        let component = wrapped(install.component).await?;
        let id = GenerationId::new(runtime::fresh_id(&self.clock))
            .ok_or_else(|| Refused::Rejected("no id could be made".into()))?;
        let row = Generation {
            id,
            number: 0,
            point: Point::Routing,
            digest: hex(&Sha256::digest(&component)),
            name: install.name,
            plugin_version: install.version,
            config: install.config,
            fuel: 0,
            deadline_ms: 0,
            stage: Stage::Admitted,
            created_at: self.clock.now(),
            activated_at: None,
            created_by: install.created_by,
            fault: None,
        };
        Ok((row, component))
    }

    async fn generation(&self, id: GenerationId) -> Result<Generation, Refused> {
        let all = self.storage.generations().await?;
        all.into_iter().find(|row| row.id == id).ok_or(Refused::NotFound)
    }
}

/// What cargo builds for `wasm32-unknown-unknown` is a core module that says which point it serves: it is made a
/// component here, so that an author needs no further tool.
async fn wrapped(bytes: Vec<u8>) -> Result<Arc<[u8]>, Refused> {
    if !bytes.starts_with(CORE_MODULE) {
        return Ok(bytes.into());
    }
    let work = move || {
        wit_component::ComponentEncoder::default()
            .module(&bytes)
            .and_then(|encoder| encoder.validate(true).encode())
    };
    let refuse = |why: String| {
        Refused::Rejected(format!("it is a core module that cannot be made a component: {why}"))
    };
    let made =
        tokio::task::spawn_blocking(work).await.map_err(|error| refuse(error.to_string()))?;
    // The chain of causes, one after the other.
    made.map(Into::into).map_err(|error| refuse(format!("{error:#}")))
}

/// Compiles off the hot threads, unless it was compiled lately; with `examined`, also asks the admission cases.
async fn compile(
    parts: &Parts,
    kept: &mut Compiled,
    mut row: Generation,
    component: Arc<[u8]>,
    examined: bool,
) -> Result<Ready, Refused> {
    let (runner, budgets) = (parts.runner.clone(), parts.config.budgets);
    let known = kept.iter().find(|(digest, _)| *digest == row.digest);
    let known = known.map(|(_, linked)| linked.clone());
    let work = move || {
        let linked = match known {
            Some(linked) => linked,
            None => {
                runner.load(&component).map_err(|error| Refused::Rejected(error.to_string()))?
            }
        };
        schema::check(&component, &row.config).map_err(Refused::Rejected)?;
        row.point = linked.point();
        if row.fuel == 0 {
            (row.fuel, row.deadline_ms) = budgets.of(row.point);
        }
        let ready = Ready::new(row, runner, linked.clone());
        ready.try_start().map_err(|why| Refused::Rejected(format!("config: {why}")))?;
        if examined {
            admission::examine(&ready)
                .map_err(|why| Refused::Rejected(format!("admission case: {why}")))?;
        }
        Ok::<_, Refused>((ready, linked))
    };
    let (ready, linked) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Refused::Rejected(format!("compiling broke: {error}")))??;
    kept.retain(|(digest, _)| *digest != ready.row.digest);
    if kept.len() == COMPILED_KEPT {
        kept.remove(0);
    }
    kept.push((ready.row.digest.clone(), linked));
    Ok(ready)
}

fn check_size(install: &Install) -> Result<(), Refused> {
    let refuse = |why: String| Err(Refused::Rejected(why));
    if install.config.len() > LARGEST_CONFIG {
        return refuse(format!("a config may have {LARGEST_CONFIG} bytes"));
    }
    for (what, text) in [("name", &install.name), ("version", &install.version)] {
        if text.is_empty() || text.len() > LONGEST_NAME {
            return refuse(format!("{what}: 1 to {LONGEST_NAME} bytes"));
        }
    }
    match serde_json::from_str::<serde_json::Value>(&install.config) {
        Ok(value) if value.is_object() => Ok(()),
        Ok(_) => refuse("config: must be a JSON object".into()),
        Err(error) => refuse(format!("config: not JSON: {error}")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
