//! What may serve: components that are none, configs that break rules, admission cases; and that the shipped ones pass.

use super::*;

#[tokio::test]
async fn the_shipped_router_answers_and_is_the_same_twice() {
    let world = world().await;
    assert_eq!(world.plugins.rank(&input(2)).outcome, Outcome::Absent);
    let row = world.serve(with(component("plugins/weighted-router"), "{}")).await;
    assert_eq!((row.number, row.point), (1, Point::Routing));
    let first = world.plugins.rank(&input(2));
    assert_eq!(first.outcome, Outcome::Answered, "{:?}", first.detail);
    let value = first.value.clone().unwrap();
    assert!((value.scores[0] - (0.3 * 0.5 + 0.4 * 0.5 + 0.3)).abs() < 1e-12);
    let again = world.plugins.rank(&input(2));
    assert_eq!((again.value.unwrap(), again.fuel), (value, first.fuel));
    assert_eq!(first.digest.unwrap().len(), 64);
    let stats = world.plugins.stats();
    let served = &stats[0].served[0];
    assert_eq!((served.calls, stats[0].absent, served.faults), (2, 1, 0));
    assert!(served.p99_us >= served.p50_us);
}

#[tokio::test]
async fn the_shipped_filter_and_inspector_pass_admission() {
    let world = world().await;
    for (name, point) in
        [("message-filter", Point::Filter), ("quality-inspector", Point::Inspection)]
    {
        let row = world.serve(with(component(&format!("plugins/{name}")), "{}")).await;
        assert_eq!(row.point, point);
    }
}

#[tokio::test]
async fn what_is_not_a_plugin_is_refused_with_the_reason() {
    let world = world().await;
    let wat = |text: &str| wat::parse_str(text).unwrap();
    for (component, words) in [
        (b"MZ".to_vec(), "not WebAssembly"),
        (b"\0asm\x0d\0\x01\0junk".to_vec(), "not a valid component"),
        (wat("(module)"), "exports 0"),
        (wat("(module (import \"env\" \"now\" (func)))"), "core module that cannot"),
        (wat("(component)"), "exports 0"),
        (
            wat(r#"(component (instance $i) (export "kefu:routing/routing@1.0.0" (instance $i))
                (export "kefu:filter/filter@1.0.0" (instance $i)))"#),
            "exports 2",
        ),
        (
            wat(r#"(component (instance $i) (export "kefu:routing/routing@1.0.0" (instance $i)))"#),
            "shape of the interface",
        ),
        (
            wat(r#"(component (import "wasi:clocks/now@0.2.0" (func)) (instance $i)
                (export "kefu:routing/routing@1.0.0" (instance $i)))"#),
            "imports",
        ),
    ] {
        let refused = world.refused(with(component, "{}")).await;
        assert!(refused.contains(words), "{refused}");
    }
    assert!(world.plugins.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn bad_configs_are_refused_by_schema_then_by_the_plugin() {
    let world = world().await;
    for (config, words) in [
        ("", "not JSON"),
        ("[]", "JSON object"),
        (r#"{"skill":0.9}"#, "must be 1"),
        (r#"{"skil":0.9}"#, "'skil' was unexpected"),
        (r#"{"load":1.5}"#, "config: /load: 1.5 is greater than the maximum of 1"),
        (r#"{"load":"much"}"#, "config: /load: \"much\" is not of type \"number\""),
    ] {
        let refused = world.refused(with(component("plugins/weighted-router"), config)).await;
        assert!(refused.contains(words), "{refused}");
    }
    let refused = world.refused(deed("loop_in_configure")).await;
    assert!(refused.contains("configure broke"), "{refused}");
    let always = with(component("plugin-tests/hostile"), r#"{"deed":"nan","always":true}"#);
    assert!(world.refused(always).await.contains("admission case"));
}

#[tokio::test]
async fn every_shipped_plugin_carries_its_schema() {
    let world = world().await;
    for (name, config, place) in [
        ("weighted-router", r#"{"returning":-1}"#, "/returning"),
        ("message-filter", r#"{"block":["ok",""]}"#, "/block/1"),
        ("quality-inspector", r#"{"points":{"gaps":101}}"#, "/points/gaps"),
    ] {
        let plugin = with(component(&format!("plugins/{name}")), config);
        let refused = world.refused(plugin).await;
        assert!(refused.starts_with(&format!("config: {place}: ")), "{refused}");
    }
}

#[tokio::test]
async fn what_fails_admission_never_serves() {
    let world = world().await;
    let good = world.serve(deed("behave")).await;
    let always = with(component("plugin-tests/hostile"), r#"{"deed":"trap","always":true}"#);
    assert!(world.refused(always).await.contains("admission case"));
    assert_eq!(world.plugins.list().await.unwrap().len(), 1, "it is not even kept");
    // Admitted once, but by budgets that have become too small: it is looked at again before it serves.
    let mut row = world.plugins.install(deed("reverse")).await.unwrap();
    row.id = GenerationId::new(row.id.get() + 1).unwrap();
    row.fuel = 10;
    world.storage.add_generation(&row, &component("plugin-tests/hostile"), None).await.unwrap();
    let refused = world.plugins.activate(row.id).await.unwrap_err().to_string();
    assert!(refused.contains("fuel"), "{refused}");
    assert_eq!(world.stage(row.id).await, Stage::Admitted);
    assert_eq!(world.plugins.rank(&input(3)).generation, Some(good.id));
}

#[tokio::test]
async fn what_cargo_built_is_made_a_component() {
    let world = world().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let module = root.join("wasm32-unknown-unknown/plugin/weighted_router.wasm");
    let module = std::fs::read(module).expect("cargo xtask plugins builds it");
    let row = world.serve(with(module, "{}")).await;
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(row.id));
}
