//! Whom the operator trusts: keys and revocation lists as they change, and what follows. A generation that is no longer
//! allowed is taken out at once, its quarantine says why, and the newest one before it that is allowed serves again; where
//! there is none, the point's fall-back does.

use super::intake::Vouched;
use super::keys::PublicKey;
use super::package::{self, Package};
use super::trust::{Revocations, Trust};
use super::{Parts, Plugins, Refused};
use crate::domain::ids::GenerationId;
use crate::domain::plugin::Point;
use crate::storage::{Generation, Origin, PublisherKey, RevocationList, Stage, StorageError};

impl Plugins {
    /// What the operator requires and trusts, and what is revoked.
    ///
    /// # Errors
    /// When storage is away.
    pub async fn trust(&self) -> Result<Trust, Refused> {
        self.parts()?.trust().await
    }

    /// Trusts a key for a publisher.
    ///
    /// # Errors
    /// When it is no key, is trusted already, or is revoked.
    pub async fn trust_key(
        &self,
        publisher: &str,
        key: &str,
        by: String,
    ) -> Result<PublisherKey, Refused> {
        let parts = self.parts()?;
        package::name("publisher", publisher).map_err(Refused::Rejected)?;
        let known = key.parse::<PublicKey>().map_err(Refused::Rejected)?;
        let _one_at_a_time = parts.compiling.lock().await;
        let trust = parts.trust().await?;
        if let Some(owner) = trust.publisher_of(key) {
            return Err(Refused::Rejected(format!("{key} is already trusted for {owner}")));
        }
        if let Some(list) = trust.revoking(key) {
            return Err(Refused::Rejected(format!("{key} is revoked by {list}")));
        }
        let added = PublisherKey {
            key: known.to_string(),
            publisher: publisher.into(),
            added_at: parts.clock.now(),
            added_by: by,
        };
        parts.storage.trust_key(&added).await?;
        Ok(added)
    }

    /// Trusts a key no longer. Says which generations it took out.
    ///
    /// # Errors
    /// [`Refused::Rejected`] when it was not trusted.
    pub async fn distrust_key(&self, key: &str) -> Result<Vec<Generation>, Refused> {
        let parts = self.parts()?;
        {
            let _one_at_a_time = parts.compiling.lock().await;
            if !parts.storage.distrust_key(key).await? {
                return Err(Refused::Rejected(format!("{key} is not trusted")));
            }
        }
        self.enforce().await
    }

    /// Takes a revocation list in. Says which generations it took out.
    ///
    /// # Errors
    /// [`Refused::Rejected`] with the rule it breaks.
    pub async fn revoke(&self, text: &str) -> Result<Vec<Generation>, Refused> {
        let parts = self.parts()?;
        let list = Revocations::read(text).map_err(Refused::Rejected)?;
        {
            let _one_at_a_time = parts.compiling.lock().await;
            let trust = parts.trust().await?;
            trust.may_revoke(&list).map_err(Refused::Rejected)?;
            let kept = RevocationList {
                publisher: list.publisher.clone(),
                serial: list.serial,
                text: text.to_owned(),
                added_at: parts.clock.now(),
            };
            if !parts.storage.replace_revocations(&kept).await? {
                return Err(Refused::Rejected("revocations: a later list came meanwhile".into()));
            }
        }
        self.enforce().await
    }

    /// Forgets a generation that does not serve.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Serves`].
    pub async fn remove(&self, id: GenerationId) -> Result<Generation, Refused> {
        let parts = self.parts()?;
        let _one_at_a_time = parts.compiling.lock().await;
        let row = parts.generation(id).await?;
        match parts.storage.remove_generation(id).await? {
            true => Ok(row),
            false => Err(Refused::Serves),
        }
    }

    /// Takes out what serves and may no longer.
    async fn enforce(&self) -> Result<Vec<Generation>, Refused> {
        let parts = self.parts()?;
        let trust = parts.trust().await?;
        let mut out = Vec::new();
        for row in parts.storage.generations().await? {
            if row.stage != Stage::Active {
                continue;
            }
            let Err(why) = parts.allowed(&trust, &row).await? else { continue };
            tracing::error!(generation = %row.id, name = row.name, why, "plugin taken out");
            let slot = self.slot(row.point);
            if slot.active.load().as_ref().is_some_and(|serving| serving.ready.row.id == row.id) {
                slot.active.store(None);
            }
            self.persist_quarantine(row.id, row.point, &why).await;
            out.push(row);
        }
        Ok(out)
    }

    /// Lets the newest generation serve that served before and still may.
    pub(super) async fn fall_back(&self, point: Point) -> Result<Generation, Refused> {
        let mut before = self.parts()?.retired(point).await?;
        before.sort_by_key(|row| std::cmp::Reverse(row.activated_at));
        for row in before {
            match self.activate(row.id).await {
                Err(Refused::Rejected(why)) => {
                    tracing::warn!(generation = %row.id, why, "not rolled back to");
                }
                outcome => return outcome,
            }
        }
        Err(Refused::NotFound)
    }
}

impl Parts {
    pub(super) async fn trust(&self) -> Result<Trust, Refused> {
        let lists = self.storage.revocations().await?;
        let read = |list: &RevocationList| {
            Revocations::read(&list.text)
                .map_err(|why| StorageError::Corrupt { what: "revocation list", why })
        };
        Ok(Trust {
            require: self.config.require,
            keys: self.storage.publisher_keys().await?,
            revocations: lists.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// The package of a generation, as it was stored.
    pub(super) async fn package(
        &self,
        row: &Generation,
        component: &[u8],
    ) -> Result<Option<Package>, Refused> {
        if row.package.is_none() {
            return Ok(None);
        }
        let rest = self.storage.package(row.id).await?.ok_or(Refused::NotFound)?;
        Package::rejoined(&rest, component).map(Some).map_err(Refused::Rejected)
    }

    /// Whether a stored generation may serve; the inner error is the rule that forbids it.
    async fn allowed(
        &self,
        trust: &Trust,
        row: &Generation,
    ) -> Result<Result<(), String>, Refused> {
        if row.origin != Origin::Installed {
            return Ok(Ok(()));
        }
        let component = self.storage.component(row.id).await?.ok_or(Refused::NotFound)?;
        Ok(match self.package(row, &component).await {
            Ok(package) => trust.examine(package.as_ref()),
            Err(Refused::Rejected(why)) => Err(why),
            Err(other) => return Err(other),
        })
    }

    /// What may serve without a package.
    pub(super) async fn vouched(&self) -> Result<Vouched, Refused> {
        let all = self.storage.generations().await?.into_iter();
        let may = all.filter(|row| row.origin != Origin::Installed);
        Ok(may.map(|row| (row.digest, row.origin)).collect())
    }

    pub(super) async fn retired(&self, point: Point) -> Result<Vec<Generation>, Refused> {
        let all = self.storage.generations().await?.into_iter();
        Ok(all.filter(|row| row.point == point && row.stage == Stage::Retired).collect())
    }
}
