//! Auth: who is behind a token, and who gets one.
//!
//! Tokens are signed, not stored: a visitor's holds site and visitor, an agent's holds the account and its epoch. An
//! account's epoch rises when its password or role changes, and every older token dies with it (within
//! `ACCOUNT_CACHE_MS` on other nodes, at once on this one). What is *not* here: cookies, origins, and who may do what.

mod identity;
mod password;
mod throttle;
mod token;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;

use crate::config;
use crate::domain::agent::{Agent, Status};
use crate::domain::ids::{AgentId, Millis, SiteId, VisitorId};
use crate::domain::people::{Principal, Proven, Role};
use crate::domain::refusal::Refusal;
use crate::runtime::{Clock, fresh_id, random_bytes};
use crate::storage::{self, StorageError, Stored};
pub use identity::Identity;
use throttle::Throttle;
use token::Claims;

/// How long an account's epoch and role may be remembered before storage is asked again.
const ACCOUNT_CACHE_MS: Millis = 3000;

/// Most remembered accounts; beyond it the memory is emptied.
const ACCOUNTS_REMEMBERED: usize = 10_000;

/// Shortest password an account may have, in characters.
const PASSWORD_LEAST: usize = 8;

/// Longest password, in bytes: hashing is expensive on purpose.
const PASSWORD_MOST: usize = 256;

/// How often a login for the first admin is looked for: nodes that start together take each other's.
const FIRST_ADMIN_TRIES: u32 = 5;

/// A token that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires_at: Millis,
}

/// The account of the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstAdmin {
    /// Its login: `admin`, or `admin2` and so on where that is somebody's already.
    pub login: String,
    /// Its made-up password; kept nowhere else.
    pub password: String,
}

#[derive(Clone, Copy)]
struct Remembered {
    epoch: u32,
    role: Role,
    enabled: bool,
    at: Millis,
}

/// Issues and verifies tokens.
pub struct Auth {
    storage: storage::Handle,
    clock: Clock,
    config: config::Auth,
    signing_key: [u8; 32],
    accounts: Mutex<HashMap<AgentId, Remembered>>,
    logins: Throttle,
    passwords: password::Hasher,
}

impl Auth {
    /// Takes the signing secret of this installation from storage.
    ///
    /// # Errors
    /// What storage says.
    pub async fn open(
        storage: storage::Handle,
        clock: Clock,
        config: config::Auth,
    ) -> Stored<Arc<Self>> {
        let signing_key = storage.secret("token", random_bytes::<32>()).await?;
        Ok(Arc::new(Self {
            logins: Throttle::new(config.login),
            storage,
            clock,
            config,
            signing_key,
            accounts: Mutex::default(),
            passwords: password::Hasher::new(),
        }))
    }

    /// Who this token proves its bearer to be, now.
    ///
    /// # Errors
    /// As [`Auth::prove`].
    pub async fn verify(&self, token: &str) -> Result<Principal, Refusal> {
        self.prove(token).await.map(|proven| proven.principal)
    }

    /// Who this token proves its bearer to be, and until when.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] for a token that is malformed, forged, expired or withdrawn.
    pub async fn prove(&self, token: &str) -> Result<Proven, Refusal> {
        let claims = token::open(&self.signing_key, token)
            .ok_or(Refusal::Unauthorized("the token is not one of ours"))?;
        if claims.expires_at() <= self.clock.now() {
            return Err(Refusal::Unauthorized("the token has expired"));
        }
        let principal = match claims {
            Claims::Visitor { site, visitor, .. } => Principal::Visitor { site, visitor },
            Claims::Agent { agent, epoch, .. } => {
                let account = self.account(agent).await?;
                if !account.enabled || account.epoch != epoch {
                    return Err(Refusal::Unauthorized("the token has been withdrawn"));
                }
                Principal::Agent { agent, role: account.role }
            }
        };
        Ok(Proven { principal, until: claims.expires_at() })
    }

    /// A token for a visitor.
    #[must_use]
    pub fn visitor_token(&self, site: SiteId, visitor: VisitorId) -> Issued {
        let expires_at = self.clock.now() + self.config.visitor_token_ms;
        self.issue(&Claims::Visitor { site, visitor, expires_at })
    }

    /// A token for an account, as it is now.
    #[must_use]
    pub fn agent_token(&self, agent: &Agent) -> Issued {
        let expires_at = self.clock.now() + self.config.agent_token_ms;
        self.issue(&Claims::Agent { agent: agent.id, epoch: agent.epoch, expires_at })
    }

    /// Signs in. An unknown login takes as long and says the same as a wrong password.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] per address and login, [`Refusal::Unauthorized`], [`Refusal::Unavailable`].
    pub async fn login(
        &self,
        address: IpAddr,
        login: &str,
        password: &str,
    ) -> Result<(Agent, Issued), Refusal> {
        self.logins.take(address, login, self.clock.now())?;
        let wrong = Refusal::Unauthorized("wrong login or password");
        if password.len() > PASSWORD_MOST {
            return Err(wrong);
        }
        let found = self.storage.agent_by_login(login).await.map_err(unavailable)?;
        let (account, hash) = found.map_or((None, None), |(a, hash)| (Some(a), Some(hash)));
        let matches = self.passwords.verify(password, hash).await?;
        let account = account.filter(|account| matches && account.enabled).ok_or(wrong)?;
        self.logins.forgive(address, login);
        let issued = self.agent_token(&account);
        Ok((account, issued))
    }

    /// Changes an account's own password; its other sessions end.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] when `old` is wrong, [`Refusal::Invalid`] when `new` breaks the rule.
    pub async fn change_password(
        &self,
        agent: AgentId,
        old: &str,
        new: &str,
    ) -> Result<Issued, Refusal> {
        let account = self.load(agent).await?;
        // The address is not known to matter here: the token already names the account.
        let here = IpAddr::from([0, 0, 0, 0]);
        self.logins.take(here, &account.login, self.clock.now())?;
        let stored = self.storage.agent_by_login(&account.login).await.map_err(unavailable)?;
        let hash = stored.map(|(_, hash)| hash);
        if old.len() > PASSWORD_MOST || !self.passwords.verify(old, hash).await? {
            return Err(Refusal::Forbidden("the old password is wrong"));
        }
        self.set_password(agent, new).await?;
        Ok(self.agent_token(&self.load(agent).await?))
    }

    /// Sets an account's password; all its sessions end.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] when it breaks the rule, [`Refusal::NotFound`], [`Refusal::Unavailable`].
    pub async fn set_password(&self, agent: AgentId, password: &str) -> Result<(), Refusal> {
        let hash = self.hash(password).await?;
        let changed = self.storage.set_password(agent, &hash).await.map_err(unavailable)?;
        self.forget(agent);
        if changed { Ok(()) } else { Err(Refusal::NotFound("agent")) }
    }

    /// Hashes a password for storage.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] when it breaks the rule.
    pub async fn hash(&self, password: &str) -> Result<String, Refusal> {
        let fits = password.chars().count() >= PASSWORD_LEAST && password.len() <= PASSWORD_MOST;
        if !fits {
            let rule = format!("{PASSWORD_LEAST} characters to {PASSWORD_MOST} bytes");
            return Err(Refusal::Invalid { field: "password", rule });
        }
        self.passwords.hash(password).await
    }

    /// The secret with which a site's own server signs its visitors' identities; made when first asked for.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn identity_secret(&self, site: SiteId) -> Result<String, Refusal> {
        let fresh = made_up_secret();
        self.storage.identity_secret(site, &fresh).await.map_err(unavailable)
    }

    /// A new secret for a site: signatures of the old one count no longer.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn rotate_identity_secret(&self, site: SiteId) -> Result<String, Refusal> {
        let fresh = made_up_secret();
        self.storage.replace_identity_secret(site, &fresh).await.map_err(unavailable)?;
        Ok(fresh)
    }

    /// Whether a site's own server signed this identity.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] when it did not, [`Refusal::Invalid`] when a part breaks its rule.
    pub async fn vouched(
        &self,
        site: SiteId,
        identity: &Identity<'_>,
        signature: &str,
    ) -> Result<(), Refusal> {
        identity.check()?;
        let secret = self.identity_secret(site).await?;
        if identity.is_signed(&secret, signature) {
            return Ok(());
        }
        Err(Refusal::Forbidden("the identity's signature is not one of this site's secret"))
    }

    /// A made-up password: 96 random bits, without letters that look alike.
    #[must_use]
    pub fn made_up_password() -> String {
        password::made_up()
    }

    /// Asks storage again about this account: its row was changed.
    pub fn forget(&self, agent: AgentId) {
        self.accounts.lock().remove(&agent);
    }

    /// Adds the admin of the first start, if there is no admin yet.
    ///
    /// # Errors
    /// What storage says.
    pub async fn first_admin(&self) -> Result<Option<FirstAdmin>, Refusal> {
        let Some(mut login) = self.first_login().await? else { return Ok(None) };
        let password = password::made_up();
        let hash = self.hash(&password).await?;
        for _ in 0..FIRST_ADMIN_TRIES {
            let admin = self.admin(&login)?;
            match self.storage.add_agent(&admin, &hash).await {
                Ok(()) => return Ok(Some(FirstAdmin { login, password })),
                // Another node was quicker: it made the admin, or an account of this name.
                Err(StorageError::Taken(_)) => {}
                Err(error) => return Err(unavailable(error)),
            }
            let Some(free) = self.first_login().await? else { return Ok(None) };
            login = free;
        }
        Err(Refusal::Unavailable { reason: "no login is free", retry_after_ms: 1000 })
    }

    /// A login that nobody has, for the first admin; none when there is an admin.
    async fn first_login(&self) -> Result<Option<String>, Refusal> {
        let accounts = self.storage.agents().await.map_err(unavailable)?;
        if accounts.iter().any(|account| account.role == Role::Admin) {
            return Ok(None);
        }
        let free = |login: &String| accounts.iter().all(|account| account.login != *login);
        let numbered = (2_u32..).map(|number| format!("admin{number}"));
        Ok(std::iter::once("admin".to_owned()).chain(numbered).find(free))
    }

    fn admin(&self, login: &str) -> Result<Agent, Refusal> {
        let id = AgentId::new(fresh_id(&self.clock))
            .ok_or(Refusal::Unavailable { reason: "no id", retry_after_ms: 1000 })?;
        Ok(Agent {
            id,
            login: login.to_owned(),
            name: "Admin".into(),
            role: Role::Admin,
            teams: Vec::new(),
            skills: Vec::new(),
            capacity: 5,
            quality: 0.8,
            status: Status::Offline,
            idle_since: self.clock.now(),
            enabled: true,
            epoch: 1,
        })
    }

    fn issue(&self, claims: &Claims) -> Issued {
        let token = token::seal(&self.signing_key, claims);
        Issued { token, expires_at: claims.expires_at() }
    }

    async fn load(&self, agent: AgentId) -> Result<Agent, Refusal> {
        let found = self.storage.agent(agent).await.map_err(unavailable)?;
        found.ok_or(Refusal::Unauthorized("the account is gone"))
    }

    async fn account(&self, agent: AgentId) -> Result<Remembered, Refusal> {
        let now = self.clock.now();
        let remembered = self.accounts.lock().get(&agent).copied();
        if let Some(fresh) = remembered.filter(|r| now.saturating_sub(r.at) < ACCOUNT_CACHE_MS) {
            return Ok(fresh);
        }
        let row = self.load(agent).await?;
        let fresh = Remembered { epoch: row.epoch, role: row.role, enabled: row.enabled, at: now };
        let mut accounts = self.accounts.lock();
        if accounts.len() >= ACCOUNTS_REMEMBERED {
            accounts.clear();
        }
        accounts.insert(agent, fresh);
        Ok(fresh)
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

/// 192 random bits, marked as what they are.
fn made_up_secret() -> String {
    format!("kis_{}", URL_SAFE_NO_PAD.encode(random_bytes::<24>()))
}

fn unavailable(error: StorageError) -> Refusal {
    tracing::warn!(%error, "accounts cannot be read or written");
    Refusal::Unavailable { reason: "storage", retry_after_ms: 1000 }
}
