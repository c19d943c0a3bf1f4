//! Generations, components, secrets.

use crate::domain::ids::GenerationId;
use crate::domain::plugin::Point;
use crate::storage::{Generation, Handle, Stage};

fn generation(id: u64, point: Point) -> Generation {
    Generation {
        id: GenerationId::new(id).unwrap(),
        number: 0,
        point,
        name: "router".into(),
        plugin_version: "1.0.0".into(),
        digest: format!("digest{}", id % 2),
        config: "{}".into(),
        fuel: 1_000_000,
        deadline_ms: 50,
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
        numbers.push(storage.add_generation(&generation(id, point), &[id as u8]).await.unwrap());
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
        storage.add_generation(&generation(number, point), b"x").await.unwrap();
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

pub(in crate::storage) async fn a_secret_is_made_once(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    assert_eq!(storage.secret("tokens", [1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(storage.secret("tokens", [2; 32]).await.unwrap(), [1; 32]);
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.secret("tokens", [3; 32]).await.unwrap(), [1; 32]);
    assert_eq!(storage.secret("other", [4; 32]).await.unwrap(), [4; 32]);
}
