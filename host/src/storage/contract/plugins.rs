//! Generations, components, packages, trust, secrets.

use crate::domain::ids::GenerationId;
use crate::domain::plugin::Point;
use crate::storage::{
    Generation, Handle, Origin, PublisherKey, RevocationList, Stage, StorageError,
};

fn generation(id: u64, point: Point) -> Generation {
    Generation {
        id: GenerationId::new(id).unwrap(),
        number: 0,
        point,
        name: "router".into(),
        plugin_version: "1.0.0".into(),
        origin: if id == 1 { Origin::Shipped } else { Origin::Installed },
        publisher: (id != 1).then(|| "acme".into()),
        package: (id != 1).then(|| "package".into()),
        signer: (id != 1).then(|| "key".into()),
        digest: format!("digest{}", id % 2),
        config: "{}".into(),
        fuel: 1_000_000,
        deadline_ms: 50,
        memory_mb: 8,
        stage: Stage::Admitted,
        created_at: id,
        activated_at: None,
        created_by: "kefu".into(),
        fault: None,
    }
}

pub(in crate::storage) async fn generations_are_numbered_per_point(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    let mut numbers = Vec::new();
    for (id, point) in
        [(1, Point::Routing), (2, Point::Filter), (3, Point::Routing), (4, Point::Routing)]
    {
        numbers
            .push(storage.add_generation(&generation(id, point), &[id as u8], None).await.unwrap());
    }
    assert_eq!(numbers, [1, 1, 2, 3]);
    drop(storage);
    let storage = open().await;
    let listed: Vec<_> =
        storage.generations().await.unwrap().iter().map(|g| (g.id.get(), g.number)).collect();
    assert_eq!(listed, [(4, 3), (3, 2), (2, 1), (1, 1)], "newest first");
    let component = storage.component(GenerationId::new(3).unwrap()).await.unwrap();
    assert_eq!(component.as_deref(), Some(&[1_u8][..]), "one component per digest");
    assert_eq!(storage.component(GenerationId::new(9).unwrap()).await.unwrap(), None);
}

pub(in crate::storage) async fn one_generation_of_a_point_is_active(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    let id = |number| GenerationId::new(number).unwrap();
    for (number, point) in [(1, Point::Routing), (2, Point::Routing), (3, Point::Filter)] {
        storage.add_generation(&generation(number, point), b"x", None).await.unwrap();
    }
    for (number, now) in [(3, 10), (1, 20), (2, 30)] {
        assert!(storage.activate(id(number), now).await.unwrap());
    }
    assert!(!storage.activate(id(9), 40).await.unwrap());
    let stages = async |storage: &Handle| -> Vec<_> {
        let all = storage.generations().await.unwrap();
        all.iter().map(|g| (g.id.get(), g.stage, g.activated_at)).collect()
    };
    assert_eq!(
        stages(&storage).await,
        [(3, Stage::Active, Some(10)), (2, Stage::Active, Some(30)), (1, Stage::Retired, Some(20))]
    );
    assert!(!storage.quarantine(id(1), "x").await.unwrap(), "only an active one");
    assert!(storage.quarantine(id(2), "trapped").await.unwrap());
    let faulty = storage.generations().await.unwrap().remove(1);
    assert_eq!((faulty.stage, faulty.fault.as_deref()), (Stage::Quarantined, Some("trapped")));
    assert!(storage.activate(id(1), 50).await.unwrap());
    assert!(storage.activate(id(2), 60).await.unwrap(), "a quarantined one may be tried again");
    let back = storage.generations().await.unwrap().remove(1);
    assert_eq!((back.stage, back.fault), (Stage::Active, None));
}

pub(in crate::storage) async fn a_removed_generation_leaves_its_number_and_that_it_was_shipped(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    let id = |number| GenerationId::new(number).unwrap();
    // 1 and 3 have the same component.
    for number in 1..=3 {
        let row = generation(number, Point::Routing);
        let package = [number as u8];
        let number = storage.add_generation(&row, b"x", Some(&package)).await.unwrap();
        let stored = storage.generations().await.unwrap().remove(0);
        assert_eq!(stored, Generation { number, ..row });
    }
    assert_eq!(storage.package(id(3)).await.unwrap().as_deref(), Some(&[3_u8][..]));
    assert!(storage.activate(id(2), 1).await.unwrap());
    assert!(!storage.remove_generation(id(2)).await.unwrap(), "it serves");
    assert!(storage.remove_generation(id(3)).await.unwrap());
    assert!(!storage.remove_generation(id(3)).await.unwrap(), "it is gone");
    assert_eq!(storage.package(id(3)).await.unwrap(), None);
    assert!(storage.component(id(1)).await.unwrap().is_some(), "it has this component too");
    assert!(storage.removed_shipped().await.unwrap().is_empty(), "that one was the operator's");
    assert!(storage.remove_generation(id(1)).await.unwrap());
    drop(storage);
    let storage = open().await;
    let left: Vec<_> = storage.generations().await.unwrap().iter().map(|g| g.id.get()).collect();
    assert_eq!(left, [2]);
    assert_eq!(
        storage.removed_shipped().await.unwrap(),
        ["router"],
        "and it came with the program"
    );
    storage.forget_removal("other").await.unwrap();
    assert_eq!(storage.removed_shipped().await.unwrap(), ["router"]);
    storage.forget_removal("router").await.unwrap();
    assert!(storage.removed_shipped().await.unwrap().is_empty());
    let again = generation(5, Point::Routing);
    assert_eq!(
        storage.add_generation(&again, b"new", None).await.unwrap(),
        4,
        "3 is not given again"
    );
    let component = storage.component(id(5)).await.unwrap();
    assert_eq!(component.as_deref(), Some(&b"new"[..]), "the old bytes of this digest are gone");
}

pub(in crate::storage) async fn a_key_is_trusted_for_one_publisher(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    let key = |key: &str, publisher: &str| PublisherKey {
        key: key.into(),
        publisher: publisher.into(),
        added_at: 7,
        added_by: "admin".into(),
    };
    for (name, publisher) in [("b", "acme"), ("c", "acme"), ("a", "zoo")] {
        storage.trust_key(&key(name, publisher)).await.unwrap();
    }
    let again = storage.trust_key(&key("a", "acme")).await;
    assert!(matches!(again, Err(StorageError::Taken(_))), "{again:?}");
    drop(storage);
    let storage = open().await;
    let all = [key("b", "acme"), key("c", "acme"), key("a", "zoo")];
    assert_eq!(storage.publisher_keys().await.unwrap(), all);
    assert!(storage.distrust_key("c").await.unwrap());
    assert!(!storage.distrust_key("c").await.unwrap());
    assert_eq!(storage.publisher_keys().await.unwrap(), [key("b", "acme"), key("a", "zoo")]);
}

pub(in crate::storage) async fn the_serial_of_revocations_only_rises(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    let list = |publisher: &str, serial: u64| RevocationList {
        publisher: publisher.into(),
        serial,
        text: format!("list {serial}"),
        added_at: serial,
    };
    for (publisher, serial, taken) in [
        ("acme", 5, true),
        ("acme", 5, false),
        ("acme", 4, false),
        ("acme", 6, true),
        ("b", 1, true),
    ] {
        let outcome = storage.replace_revocations(&list(publisher, serial)).await.unwrap();
        assert_eq!(outcome, taken, "{publisher} {serial}");
    }
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.revocations().await.unwrap(), [list("acme", 6), list("b", 1)]);
}

pub(in crate::storage) async fn a_secret_is_made_once(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    assert_eq!(storage.secret("tokens", [1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(storage.secret("tokens", [2; 32]).await.unwrap(), [1; 32]);
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.secret("tokens", [3; 32]).await.unwrap(), [1; 32]);
    assert_eq!(storage.secret("other", [4; 32]).await.unwrap(), [4; 32]);
}

/// Generations as they were kept before anybody asked for trust.
pub(in crate::storage) const BEFORE_TRUST: &str =
    "INSERT INTO generations (id, number, point, name, plugin_version, digest, config, fuel,
         deadline_ms, stage, created_at, created_by)
     VALUES (1, 1, 'routing', 'weights', '1', 'd', '{}', 9, 9, 'retired', 1, 'kefu'),
            (2, 2, 'routing', 'own', '1', 'd', '{}', 9, 9, 'active', 2, 'lin'),
            (3, 3, 'routing', 'turns', '1', 'd', '{}', 9, 9, 'admitted', 3, 'kefu')";

/// They keep their stages, and it is known which the operator's are.
pub(in crate::storage) async fn what_came_before_trust(storage: &Handle) {
    let rows = storage.generations().await.unwrap();
    let known: Vec<_> = rows.iter().map(|row| (row.number, row.stage, row.origin)).collect();
    let expected = [
        (3, Stage::Admitted, Origin::Shipped),
        (2, Stage::Active, Origin::Earlier),
        (1, Stage::Retired, Origin::Shipped),
    ];
    assert_eq!(known, expected);
    let next = Generation { id: GenerationId::new(9).unwrap(), ..rows[0].clone() };
    assert_eq!(storage.add_generation(&next, b"", None).await.unwrap(), 4, "numbers go on");
}
