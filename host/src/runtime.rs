//! The ground a process stands on: clock, ids, tasks, shutdown. The only home of `SystemTime::now`, `tokio::spawn`
//! and randomness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::ids::Millis;

/// The server's clock. Handed to whoever needs the time; tests hand in their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's clock")]
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        }))
    }

    /// A clock of one's own.
    pub fn from_fn(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// A fresh 63-bit id: `ms since 2024-01-01 << 22 | 22 random bits`.
#[must_use]
pub fn fresh_id(clock: &Clock) -> u64 {
    const EPOCH: Millis = 1_704_067_200_000;
    let random = u64::from_le_bytes(random_bytes::<8>()) & 0x3f_ffff;
    ((clock.now().saturating_sub(EPOCH) << 22) | random).max(1) & i64::MAX as u64
}

/// Random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: nothing may go on without.
#[must_use]
#[expect(clippy::expect_used, reason = "a server without randomness must not run")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Starts a task. Whoever starts one keeps the handle or ends it by a token: no task outlives the server's drain.
#[expect(clippy::disallowed_methods, reason = "the one home of spawning")]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// Files a server needs besides its connections.
pub const OWN_FILES: u32 = 64;

/// Makes room in the process's table of open files for `many`, as far as its limit allows. The kernel doubles the table
/// when it is full and stops every thread of the process meanwhile, which in a rush is felt.
///
/// # Errors
/// When no file can be opened at all.
pub fn make_room_for_files(many: i32) -> std::io::Result<()> {
    let file = std::fs::File::open("/dev/null")?;
    let mut place = many;
    while place > 0 {
        match rustix::io::fcntl_dupfd_cloexec(&file, place) {
            Ok(highest) => {
                drop(highest);
                return Ok(());
            }
            // Beyond the limit of open files.
            Err(rustix::io::Errno::INVAL) => place /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
