//! The private servers that contract tests share: started before the tests on free ports below `target/servers`,
//! named to them by environment, gone when the tests are over.

use std::path::Path;
use std::process::Command;

use kefu_servers::{Kafka, Postgres, Redis, RedisCluster};

use crate::shell;

/// What could be started.
#[derive(Default)]
pub(crate) struct Servers {
    redis: Option<Redis>,
    cluster: Option<RedisCluster>,
    postgres: Option<Postgres>,
    kafka: Option<Kafka>,
}

impl Servers {
    /// Starts all of them; what cannot run here is added to `skipped`.
    pub(crate) fn start(root: &Path, skipped: &mut Vec<String>) -> Self {
        let target = root.join("target");
        let dir = target.join("servers");
        for (what, why) in kefu_servers::prepare(&target) {
            shell::say(&format!("{what}: {why}"));
        }
        let mut or_skip = |what: &str, why: anyhow::Error| {
            skipped.push(format!("tests of {what}: {why:#}"));
        };
        shell::say("\u{203a} starting private Redis, Redis Cluster, PostgreSQL, Kafka");
        Self {
            redis: Redis::start(&dir.join("redis"), &[]).map_err(|e| or_skip("Redis", e)).ok(),
            cluster: RedisCluster::start(&dir.join("redis-cluster"))
                .map_err(|e| or_skip("Redis Cluster", e))
                .ok(),
            postgres: Postgres::start(&dir.join("postgres"))
                .map_err(|e| or_skip("PostgreSQL", e))
                .ok(),
            kafka: Kafka::start(&dir.join("kafka"), &target).map_err(|e| or_skip("Kafka", e)).ok(),
        }
    }

    /// Tells a test command where they are.
    pub(crate) fn tell(&self, command: &mut Command) {
        let places = [
            ("KEFU_TEST_REDIS", self.redis.as_ref().map(Redis::url)),
            ("KEFU_TEST_REDIS_CLUSTER", self.cluster.as_ref().map(RedisCluster::urls)),
            ("KEFU_TEST_POSTGRES", self.postgres.as_ref().map(|server| server.url("postgres"))),
            ("KEFU_TEST_KAFKA", self.kafka.as_ref().map(Kafka::brokers)),
        ];
        command.envs(places.into_iter().filter_map(|(name, place)| Some((name, place?))));
    }
}
