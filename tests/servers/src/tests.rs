//! Each server comes up, dies by signal 9, and comes back with what it had.

use std::path::PathBuf;

use super::*;

fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

#[test]
fn redis_comes_back_with_its_data() -> anyhow::Result<()> {
    let mut redis = Redis::start(&target().join("servers/own-redis"), &["appendfsync", "always"])?;
    redis.ask(&["set", "k", "v"])?;
    redis.kill();
    assert!(redis.ask(&["get", "k"]).is_err());
    redis.restart()?;
    assert_eq!(redis.ask(&["get", "k"])?, "v");
    Ok(())
}

#[test]
fn a_redis_cluster_agrees() -> anyhow::Result<()> {
    let cluster = RedisCluster::start(&target().join("servers/own-cluster"))?;
    assert!(cluster.nodes[0].ask(&["cluster", "info"])?.contains("cluster_slots_ok:16384"));
    Ok(())
}

#[test]
fn postgres_comes_back_with_its_data() -> anyhow::Result<()> {
    let mut postgres = Postgres::start(&target().join("servers/own-postgres"))?;
    postgres.ask("CREATE TABLE t AS SELECT 7 AS n")?;
    postgres.kill();
    postgres.restart()?;
    assert_eq!(postgres.ask("SELECT n FROM t")?, "7");
    Ok(())
}

#[test]
fn kafka_comes_back() -> anyhow::Result<()> {
    for (what, why) in prepare(&target()) {
        assert_ne!(what, "Kafka", "{why}");
    }
    let mut kafka = Kafka::start(&target().join("servers/own-kafka"), &target())?;
    kafka.kill();
    kafka.restart()
}
