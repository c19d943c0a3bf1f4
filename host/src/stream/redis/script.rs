//! The scripts that run inside the server, each in a file of its own, called by their digest.

use redis::{Cmd, FromRedisValue, Script, ToRedisArgs};

use super::link::{Failure, Link};

/// One script.
pub(super) struct Program {
    code: &'static str,
    digest: String,
}

impl Program {
    fn new(code: &'static str) -> Self {
        Self { code, digest: Script::new(code).get_hash().to_owned() }
    }

    /// Runs it; a server that does not know it (a new one, a restarted one) is given it.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        link: &Link,
        keys: &[impl ToRedisArgs],
        arguments: &[impl ToRedisArgs],
    ) -> Result<T, Failure> {
        match link.run(&self.call("EVALSHA", &self.digest, keys, arguments)).await {
            Err(Failure::NoScript) => {
                link.run(&self.call("EVAL", self.code, keys, arguments)).await
            }
            answer => answer,
        }
    }

    /// Gives it to every server before the first one asks for it.
    async fn load(&self, link: &Link) -> Result<(), Failure> {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(self.code);
        link.run(&load).await
    }

    fn call(
        &self,
        verb: &str,
        what: &str,
        keys: &[impl ToRedisArgs],
        arguments: &[impl ToRedisArgs],
    ) -> Cmd {
        let mut call = redis::cmd(verb);
        call.arg(what).arg(keys.len()).arg(keys).arg(arguments);
        call
    }
}

/// All of them.
pub(super) struct Programs {
    pub(super) append: Program,
    pub(super) look: Program,
    pub(super) lease: Program,
    pub(super) trim: Program,
    pub(super) forget: Program,
}

impl Programs {
    pub(super) fn new() -> Self {
        Self {
            append: Program::new(include_str!("append.lua")),
            look: Program::new(include_str!("look.lua")),
            lease: Program::new(include_str!("lease.lua")),
            trim: Program::new(include_str!("trim.lua")),
            forget: Program::new(include_str!("forget.lua")),
        }
    }

    /// All of them.
    pub(super) async fn load(&self, link: &Link) -> Result<(), Failure> {
        for program in [&self.append, &self.look, &self.lease, &self.trim, &self.forget] {
            program.load(link).await?;
        }
        Ok(())
    }
}
