//! Passwords: argon2id, on blocking threads, at most two at a time (each takes 19 MiB and tens of milliseconds).

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::domain::refusal::Refusal;
use crate::runtime::random_bytes;

/// Hashes at the same time.
const AT_ONCE: usize = 2;
/// Passwords being hashed or waiting; one more is told to try again.
const MOST: usize = 64;

/// Verified against when there is no such login, so that both take as long. The hash of a random password.
pub(super) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
    Jt7Lk3p0vQmXo1zYq5uH8sW2eR4tN6bC9dF0gA1iKlM";

/// Letters and digits that do not look alike.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// See the module.
pub(super) struct Hasher {
    at_once: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Hasher {
    pub(super) fn new() -> Self {
        Self { at_once: Arc::new(Semaphore::new(AT_ONCE)), waiting: Semaphore::new(MOST) }
    }

    /// PHC string of a password.
    pub(super) async fn hash(&self, password: &str) -> Result<String, Refusal> {
        let password = password.to_owned();
        self.run(move || {
            Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
        })
        .await?
        .ok_or_else(unavailable)
    }

    /// Whether the password is the hash's; without a hash: no, after the same time.
    pub(super) async fn verify(
        &self,
        password: &str,
        hash: Option<String>,
    ) -> Result<bool, Refusal> {
        let password = password.to_owned();
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            let Ok(parsed) = PasswordHash::new(&hash) else { return false };
            let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            matches && known
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let _place = self.waiting.try_acquire().map_err(|_| unavailable())?;
        let permit = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| unavailable())?;
        let work = move || {
            let _held_until_done = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| unavailable())
    }
}

/// Twenty characters of almost five bits each, in groups of five.
pub(super) fn made_up() -> String {
    let letters: Vec<u8> = random_bytes::<20>()
        .iter()
        .map(|byte| ALPHABET[usize::from(*byte) % ALPHABET.len()])
        .collect();
    let groups: Vec<_> = letters.chunks(5).map(String::from_utf8_lossy).collect();
    groups.join("-")
}

fn unavailable() -> Refusal {
    Refusal::Unavailable { reason: "passwords", retry_after_ms: 1000 }
}
