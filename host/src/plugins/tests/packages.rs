//! Packages on a host: what is taken in, what may serve, and what happens when trust ends.

use super::*;
use crate::plugins::keys::SecretKey;
use crate::plugins::package::{Members, Package};
use crate::plugins::trust::Revocations;

const ROUTER: &str = r#"format = 1
id = "router"
version = "2.0.0"
publisher = "acme"
host.min = "0.1.0"
points.routing = "1.0.0"
scopes.candidates = "scores them"
"#;
/// One candidate, half loaded, of middling quality.
const CASE: &str = r#"{
  "config": CONFIG,
  "input": {"now":1,"seed":1,"conversation":"9007199254740993","site":"1","team":"1","waited_ms":0,
    "priority":0,"needs":[],"levels":[],"attrs":[],"candidates":[
      {"agent":"1","active":1,"capacity":2,"quality":0.5,"idle_ms":0,"returning":false}]},
  "expect": {"outcome":"answered","value":{"scores":[SCORE]}}
}"#;

fn key(byte: u8) -> SecretKey {
    SecretKey::read(&format!("kefu-secret-key-v1\n{}\n", format!("{byte:02x}").repeat(32))).unwrap()
}

fn name(byte: u8) -> String {
    key(byte).public().to_string()
}

fn members(component: Vec<u8>, schema: &str, about: &str) -> Members {
    [
        ("LICENSE", b"x".to_vec()),
        ("README.md", b"x".to_vec()),
        ("component.wasm", component),
        ("config.schema.json", schema.as_bytes().to_vec()),
        ("plugin.toml", about.as_bytes().to_vec()),
    ]
    .map(|(name, content)| (name.to_owned(), content))
    .into()
}

/// The shipped router in a package, with a case if there is one.
fn router(about: &str, case: Option<(&str, &str)>) -> Members {
    let schema = include_str!("../../../../plugins/weighted-router/config.schema.json");
    let mut members = members(component("plugins/weighted-router"), schema, about);
    if let Some((config, score)) = case {
        let case = CASE.replace("CONFIG", config).replace("SCORE", score);
        members.insert("cases/half.json".into(), case.into());
    }
    members
}

/// The hostile one in a package; its deed is its config.
fn hostile(about: &str) -> Members {
    members(component("plugin-tests/hostile"), "{}", about)
}

fn signed(members: Members, by: u8) -> Package {
    Package::of(members).unwrap().signed_by(&key(by)).unwrap()
}

fn install(package: &Package, config: &str) -> Install {
    Install { origin: Origin::Installed, ..with(package.bytes().unwrap(), config) }
}

/// The shipped router's component without a package, as an operator uploads it.
fn bare(config: &str) -> Install {
    Install { origin: Origin::Installed, ..with(component("plugins/weighted-router"), config) }
}

fn revoked(serial: u64, keys: &[u8], packages: &[&Package], by: u8) -> String {
    let list = Revocations {
        publisher: "acme".into(),
        serial,
        keys: keys.iter().map(|byte| name(*byte)).collect(),
        packages: packages.iter().map(|package| package.digest().to_owned()).collect(),
        signer: name(by),
    };
    list.signed_by(&key(by))
}

/// A world where keys 1 and 2 are trusted for acme.
async fn trusting() -> World {
    let world = world().await;
    for byte in [1, 2] {
        world.plugins.trust_key("acme", &name(byte), "admin".into()).await.unwrap();
    }
    world
}

#[tokio::test]
async fn a_trusted_package_serves_and_is_known_by_its_own_names() {
    let world = trusting().await;
    let package = signed(router(ROUTER, None), 1);
    let row = world.serve(install(&package, "{}")).await;
    assert_eq!((&*row.name, &*row.plugin_version), ("router", "2.0.0"));
    let stored = world.storage.generations().await.unwrap().remove(0);
    assert_eq!(stored.publisher.as_deref(), Some("acme"));
    assert_eq!(stored.package.as_deref(), Some(package.digest()));
    assert_eq!(stored.signer, Some(name(1)));
    assert_eq!((stored.origin, stored.memory_mb), (Origin::Installed, 16));
    assert_eq!(world.plugins.rank(&input(2)).outcome, Outcome::Answered);
    let world = world.restarted(Require::Trusted).await;
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(row.id));
}

#[tokio::test]
async fn each_rule_is_asked_when_a_package_comes() {
    let world = trusting().await;
    let trusted = signed(router(ROUTER, None), 1);
    let unsigned = Package::of(router(ROUTER, None)).unwrap();
    let stranger = signed(router(ROUTER, None), 9);
    let posing = signed(router(&ROUTER.replace("acme", "zoo"), None), 1);
    let bare = || bare("{}");
    for (install, words) in [
        (bare(), "plugins.require = \"trusted\" takes packages"),
        (install(&unsigned, "{}"), "is not signed"),
        (install(&stranger, "{}"), "is not trusted here"),
        (install(&posing, "{}"), "it says it is zoo's"),
    ] {
        let refused = world.refused(install).await;
        assert!(refused.starts_with("trust: ") && refused.contains(words), "{refused}");
    }
    let mut tampered = trusted.bytes().unwrap();
    let at = tampered.windows(5).position(|word| word == b"2.0.0").unwrap();
    tampered[at] = b'3';
    let tampered = Install { origin: Origin::Installed, ..with(tampered, "{}") };
    assert!(world.refused(tampered).await.starts_with("signature: "));
    assert!(world.plugins.list().await.unwrap().is_empty());
    let world = world.restarted(Require::Signed).await;
    assert!(world.refused(bare()).await.contains("\"signed\" takes packages"));
    world.serve(install(&stranger, "{}")).await;
    let world = world.restarted(Require::None).await;
    world.serve(install(&unsigned, "{}")).await;
    let last = world.serve(bare()).await;
    // What a laxer rule let in does not serve under a stricter one; nor does what served before it.
    let world = world.restarted(Require::Trusted).await;
    assert_eq!(world.plugins.rank(&input(2)).outcome, Outcome::Absent);
    assert_eq!(world.stage(last.id).await, Stage::Quarantined);
    let refused = world.plugins.activate(last.id).await.unwrap_err().to_string();
    assert!(refused.contains("bare component"), "{refused}");
}

#[tokio::test]
async fn a_component_is_what_its_manifest_says() {
    let world = trusting().await;
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let exporting = |name: &str, import: &str| {
        wat(&format!(
            r#"(component {import} (core module $m (func (export "f")))
               (core instance $i (instantiate $m)) (func $f (canon lift (core func $i "f")))
               (instance $x (export "rank" (func $f))) (export "{name}" (instance $x)))"#
        ))
    };
    let routing = "kefu:routing/routing@1.0.0";
    let clock = r#"(import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func))))"#;
    let log = r#"(import "log" (func))"#;
    let newer = ROUTER.replace("routing = \"1.0.0\"", "routing = \"2.0.0\"");
    let filter = ROUTER.replace("routing =", "filter =").replace("candidates", "text");
    let own = component("plugins/weighted-router");
    let module = wat("(module)");
    for (component, about, words) in [
        (exporting(routing, clock), ROUTER, "it imports wasi:clocks/wall-clock@0.2.0 (now)"),
        (exporting(routing, log), ROUTER, "it imports log, and points.routing"),
        (exporting("kefu:routing/routing@2.0.0", ""), ROUTER, "exports kefu:routing/routing@2.0.0"),
        (exporting("kefu:filter/filter@1.0.0", ""), ROUTER, "it exports kefu:filter/filter@1.0.0"),
        (exporting("acme:other/thing@1.0.0", ""), ROUTER, "it exports no interface of kefu's"),
        (own.clone(), &*filter, "it exports kefu:routing/routing@1.0.0"),
        (own, &*newer, "points.routing is 2.0.0, this host has kefu:routing@1.0.0"),
        (module, ROUTER, "core module"),
        (wat("(component)"), ROUTER, "exports no interface"),
    ] {
        let schema = router(ROUTER, None).remove("config.schema.json").unwrap();
        let schema = String::from_utf8(schema).unwrap();
        let package = signed(members(component, &schema, about), 1);
        let refused = world.refused(install(&package, "{}")).await;
        assert!(refused.starts_with("contract: ") && refused.contains(words), "{refused}");
    }
    for (host, words) in [
        ("host.min = \"99.0.0\"", "manifest: host.min is 99.0.0, this is kefu"),
        ("host.min = \"0.0.1\"\nhost.max = \"0.0.2\"", "manifest: host.max is 0.0.2, this is kefu"),
    ] {
        let about = ROUTER.replace("host.min = \"0.1.0\"", host);
        let refused = world.refused(install(&signed(router(&about, None), 1), "{}")).await;
        assert!(refused.starts_with(words), "{refused}");
    }
    let lift = exporting(routing, "");
    let refused = world.refused(install(&signed(members(lift, "{}", ROUTER), 1), "{}")).await;
    assert!(refused.contains("shape of the interface"), "{refused}");
}

#[tokio::test]
async fn a_config_is_held_against_the_packages_schema() {
    let world = trusting().await;
    let package = signed(router(ROUTER, None), 1);
    let refused = world.refused(install(&package, r#"{"load":2}"#)).await;
    assert_eq!(refused, "config: /load: 2 is greater than the maximum of 1");
    let mut other = router(ROUTER, None);
    other.insert("config.schema.json".into(), b"{}".to_vec());
    let refused = Package::of(other).unwrap_err();
    assert!(refused.contains("is not the schema that the component carries"), "{refused}");
    // A component that carries none has the package's.
    let strict = r#"{"properties":{"deed":{"enum":["behave"]}}}"#;
    let package = signed(members(component("plugin-tests/hostile"), strict, ROUTER), 1);
    let refused = world.refused(install(&package, r#"{"deed":"reverse"}"#)).await;
    assert!(refused.starts_with("config: /deed: "), "{refused}");
    world.serve(install(&package, r#"{"deed":"behave"}"#)).await;
    // What no schema says, `configure` does.
    let refused = world.refused(install(&signed(router(ROUTER, None), 1), r#"{"load":1}"#)).await;
    assert!(
        refused.starts_with("config: ") && refused.contains("skill + load + quality must be 1"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_may_serve_without_a_package_may_with_another_config() {
    for origin in [Origin::Shipped, Origin::Earlier] {
        let world = world().await;
        assert!(world.refused(bare("{}")).await.contains("bare component"));
        let known = Install { origin, ..bare("{}") };
        let known = world.serve(known).await;
        let again = world.serve(bare(r#"{"returning":1}"#)).await;
        assert_eq!((again.origin, &again.digest), (origin, &known.digest));
        let other = Install { origin: Origin::Installed, ..deed("behave") };
        assert!(world.refused(other).await.contains("bare component"), "other code");
        let third = world.plugins.configure(again.id, "{}".into(), "lin".into()).await.unwrap();
        assert_eq!((third.origin, &*third.created_by, third.number), (origin, "lin", 3));
        let world = world.restarted(Require::Trusted).await;
        assert_eq!(world.plugins.rank(&input(2)).generation, Some(again.id));
    }
}

#[tokio::test]
async fn another_config_is_held_against_everything_again() {
    let world = trusting().await;
    let package = signed(router(ROUTER, None), 1);
    let row = world.serve(install(&package, "{}")).await;
    let configure = async |config: &str| {
        let outcome = world.plugins.configure(row.id, config.into(), "lin".into()).await;
        outcome.map_err(|refused| refused.to_string())
    };
    let other = configure(r#"{"returning":1}"#).await.unwrap();
    assert_eq!(
        (other.package.as_deref(), other.signer),
        (Some(package.digest()), row.signer.clone())
    );
    assert!(configure(r#"{"load":2}"#).await.unwrap_err().starts_with("config: /load: "));
    world.plugins.distrust_key(&name(1)).await.unwrap();
    assert!(configure("{}").await.unwrap_err().contains("is not trusted here"));
    let nobody = GenerationId::new(1).unwrap();
    let refused = world.plugins.configure(nobody, "{}".into(), "lin".into()).await;
    assert!(matches!(refused, Err(Refused::NotFound)));
}

#[tokio::test]
async fn a_package_brings_cases_and_is_held_to_them() {
    let world = trusting().await;
    let score = 0.3 + 0.4 * 0.5 + 0.3 * 0.5;
    let answered = format!("{score}");
    world.serve(install(&signed(router(ROUTER, Some(("{}", &answered))), 1), "{}")).await;
    let only_load = r#"{"skill":0,"load":1,"quality":0}"#;
    world.serve(install(&signed(router(ROUTER, Some((only_load, "0.5"))), 1), "{}")).await;
    for (config, score, words) in [
        ("{}", "0.5", "case half: value.scores[0]: expected 0.5, got 0.65"),
        ("{}", "0.65, 1", "case half: value.scores: expected [0.65,1], got [0.65]"),
        (r#"{"load":2}"#, "1", "case half: config: /load: 2 is greater"),
        (r#"{"load":1}"#, "1", "case half: config: "),
    ] {
        let package = signed(router(ROUTER, Some((config, score))), 1);
        let refused = world.refused(install(&package, "{}")).await;
        assert!(refused.starts_with(words), "{refused}");
    }
    let mut silent = hostile(ROUTER);
    let case = CASE.replace("CONFIG", r#"{"deed":"error"}"#).replace("SCORE", "0");
    silent.insert("cases/half.json".into(), case.clone().into());
    let refused = world.refused(install(&signed(silent, 1), r#"{"deed":"behave"}"#)).await;
    assert!(refused.starts_with("case half: expected answered, got error ("), "{refused}");
    let mut broken = hostile(ROUTER);
    broken.insert("cases/half.json".into(), case.replace("error", "nan").into());
    let refused = world.refused(install(&signed(broken, 1), r#"{"deed":"behave"}"#)).await;
    assert!(refused.starts_with("case half: expected answered, got fault ("), "{refused}");
}

#[tokio::test]
async fn budgets_are_the_packages_up_to_the_operators() {
    let world = trusting().await;
    let with = |budgets: &str| signed(hostile(&format!("{ROUTER}[budgets]\n{budgets}")), 1);
    let behave = r#"{"deed":"behave"}"#;
    for (budgets, words) in [
        ("fuel = 20000001", "budgets.fuel: 20000001, and plugins.routing_fuel is 20000000"),
        ("fuel = 0", "budgets.fuel: 0"),
        ("deadline_ms = 20001", "budgets.deadline_ms: 20001, and plugins.routing_deadline, in ms,"),
        ("memory_mb = 17", "budgets.memory_mb: 17, and plugins.instance_memory_mb is 16"),
        ("fuel = 10", "config: configure broke: "),
    ] {
        let refused = world.refused(install(&with(budgets), behave)).await;
        assert!(refused.starts_with(words), "{refused}");
    }
    let row = world.serve(install(&with("fuel = 9000000\ndeadline_ms = 9000"), behave)).await;
    assert_eq!((row.fuel, row.deadline_ms, row.memory_mb), (9_000_000, 9_000, 16));
    // It holds 12 MiB from the start.
    let hoard = r#"{"deed":"hoard"}"#;
    let refused = world.refused(install(&with("memory_mb = 12"), hoard)).await;
    assert!(refused.starts_with("config: configure broke: "), "{refused}");
    let row = world.serve(install(&with("memory_mb = 15"), hoard)).await;
    let world = world.restarted(Require::Trusted).await;
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(row.id));
}

#[tokio::test]
async fn who_is_trusted_no_longer_serves_no_longer() {
    let world = trusting().await;
    let other = world.serve(install(&signed(hostile(ROUTER), 2), r#"{"deed":"behave"}"#)).await;
    let first = world.serve(install(&signed(router(ROUTER, None), 1), "{}")).await;
    let last = world.serve(install(&signed(router(ROUTER, None), 1), r#"{"returning":1}"#)).await;
    let out = world.plugins.distrust_key(&name(1)).await.unwrap();
    assert_eq!(out.iter().map(|row| row.id).collect::<Vec<_>>(), [last.id]);
    // The one before was signed by the same key; the one before that may serve.
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(other.id));
    let stored = world.storage.generations().await.unwrap();
    let stored = stored.iter().find(|row| row.id == last.id).unwrap();
    assert_eq!(stored.stage, Stage::Quarantined);
    assert!(stored.fault.as_ref().unwrap().starts_with("trust: plugins.require"), "{stored:?}");
    for id in [first.id, last.id] {
        let refused = world.plugins.activate(id).await.unwrap_err().to_string();
        assert!(refused.contains("is not trusted here"), "{refused}");
    }
    let refused = world.plugins.distrust_key(&name(1)).await.unwrap_err().to_string();
    assert!(refused.ends_with("is not trusted"), "{refused}");
    world.plugins.trust_key("acme", &name(1), "admin".into()).await.unwrap();
    assert_eq!(world.plugins.activate(last.id).await.unwrap().id, last.id);
}

#[tokio::test]
async fn what_is_revoked_is_taken_out_and_never_serves_again() {
    let world = trusting().await;
    let shipped = world.serve(with(component("plugins/weighted-router"), "{}")).await;
    let (one, two) = (signed(router(ROUTER, None), 1), signed(hostile(ROUTER), 2));
    let behave = r#"{"deed":"behave"}"#;
    let first = world.serve(install(&one, "{}")).await;
    let last = world.serve(install(&two, behave)).await;
    let out = world.plugins.revoke(&revoked(3, &[], &[&one], 1)).await.unwrap();
    assert!(out.is_empty(), "it does not serve");
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(last.id));
    let out = world.plugins.revoke(&revoked(4, &[2], &[&one], 1)).await.unwrap();
    assert_eq!(out.iter().map(|row| row.id).collect::<Vec<_>>(), [last.id]);
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(shipped.id));
    for (id, words) in [(first.id, "the package"), (last.id, "its key")] {
        let refused = world.plugins.activate(id).await.unwrap_err().to_string();
        assert!(refused.starts_with(&format!("trust: {words} ")), "{refused}");
        assert!(refused.ends_with("is revoked by revocation list 4 of acme"), "{refused}");
    }
    assert!(world.refused(install(&one, "{}")).await.contains("is revoked by"));
    assert!(world.refused(install(&two, behave)).await.contains("is revoked by"));
    for (list, words) in [
        (revoked(4, &[2], &[&one], 1), "serial 4 is not above 4"),
        (revoked(3, &[], &[&one], 1), "serial 3 is not above 4"),
        (revoked(5, &[], &[&one], 1), "takes it back"),
        (revoked(5, &[2], &[&one], 2), "is revoked by revocation list 4"),
    ] {
        let refused = world.plugins.revoke(&list).await.unwrap_err().to_string();
        assert!(refused.starts_with("revocations: ") && refused.contains(words), "{refused}");
    }
    world.plugins.distrust_key(&name(2)).await.unwrap();
    let again = world.plugins.trust_key("acme", &name(2), "admin".into()).await;
    assert!(again.unwrap_err().to_string().contains("is revoked by revocation list 4 of acme"));
}

#[tokio::test]
async fn what_was_revoked_while_the_server_was_down_does_not_start() {
    let world = trusting().await;
    let shipped = world.serve(with(component("plugins/weighted-router"), "{}")).await;
    let package = signed(router(ROUTER, None), 1);
    let row = world.serve(install(&package, "{}")).await;
    // Another node took the list in.
    let kept = crate::storage::RevocationList {
        publisher: "acme".into(),
        serial: 1,
        text: revoked(1, &[], &[&package], 2),
        added_at: 1,
    };
    assert!(world.storage.replace_revocations(&kept).await.unwrap());
    let world = world.restarted(Require::Trusted).await;
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(shipped.id));
    assert_eq!(world.stage(row.id).await, Stage::Quarantined);
}

#[tokio::test]
async fn a_stored_package_is_looked_at_again() {
    let world = trusting().await;
    let package = signed(router(ROUTER, None), 1);
    let row = world.plugins.install(install(&package, "{}")).await.unwrap();
    let rest = world.storage.package(row.id).await.unwrap().unwrap();
    // The same papers with another component.
    let id = GenerationId::new(row.id.get() + 1).unwrap();
    let forged = Generation { id, digest: "0".repeat(64), ..row };
    let component = component("plugin-tests/hostile");
    world.storage.add_generation(&forged, &component, Some(&rest)).await.unwrap();
    let refused = world.plugins.activate(id).await.unwrap_err().to_string();
    assert!(refused.starts_with("signature: "), "{refused}");
}

#[tokio::test]
async fn keys_are_trusted_once_and_for_one_publisher() {
    let world = trusting().await;
    for (publisher, key, words) in [
        ("acme", name(1), "is already trusted for acme"),
        ("zoo", name(1), "is already trusted for acme"),
        ("Zoo", name(3), "publisher: `Zoo`"),
        ("zoo", name(3).to_uppercase(), "is no key"),
        ("zoo", "ed25519:00".into(), "is no key"),
    ] {
        let outcome = world.plugins.trust_key(publisher, &key, "admin".into()).await;
        let refused = outcome.unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(world.plugins.trust().await.unwrap().keys.len(), 2);
}

#[tokio::test]
async fn what_serves_is_not_removed() {
    let world = trusting().await;
    let first = world.serve(install(&signed(router(ROUTER, None), 1), "{}")).await;
    let last = world.serve(install(&signed(router(ROUTER, None), 1), "{}")).await;
    let refused = world.plugins.remove(last.id).await.unwrap_err();
    assert!(matches!(refused, Refused::Serves), "{refused}");
    assert_eq!(world.plugins.remove(first.id).await.unwrap().id, first.id);
    assert!(matches!(world.plugins.remove(first.id).await, Err(Refused::NotFound)));
    assert!(matches!(world.plugins.rollback(Point::Routing).await, Err(Refused::NotFound)));
    assert_eq!(world.plugins.rank(&input(2)).generation, Some(last.id));
}
