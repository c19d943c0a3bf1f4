//! Generations that follow each other: swaps under load, quarantine and roll-back, restart.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn after_quarantine_the_previous_generation_serves_again() {
    let world = world().await;
    let good = world.serve(deed("behave")).await;
    let bad = world.serve(deed("trap")).await;
    for _ in 0..3 {
        world.plugins.rank(&input(3));
    }
    world.comes_to(bad.id, Stage::Quarantined).await;
    world.comes_to(good.id, Stage::Active).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.plugins.rank(&input(3)).generation != Some(good.id) {
        assert!(Instant::now() < deadline, "the one before never served again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_while_calls_are_in_flight_mixes_nothing() {
    let world = world().await;
    let (up, down) = (world.serve(deed("behave")).await, world.serve(deed("reverse")).await);
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (plugins, stop) = (Arc::clone(&world.plugins), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut calls = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = plugins.rank(&input(3));
                    let scores = answer.value.unwrap().scores;
                    let falls = scores == [0.0, -1.0, -2.0];
                    assert_eq!(falls, answer.generation == Some(up.id));
                    assert!(falls || scores == [-2.0, -1.0, 0.0]);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for id in [up.id, down.id, up.id] {
        world.plugins.activate(id).await.unwrap();
    }
    let back = world.plugins.rollback(Point::Routing).await.unwrap();
    assert_eq!(back.id, down.id);
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        assert!(thread.join().unwrap() > 0);
    }
    assert!(world.plugins.stats()[0].served.iter().all(|one| one.calls > 0 && one.faults == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_flight_ends_on_the_generation_it_began_with() {
    let world = world_with(u64::MAX >> 1, 120_000).await;
    let next = world.serve(deed("reverse")).await;
    // The machine may be of any speed: each call takes twice as long as the one before, until one lasts over a swap.
    for doubled in 0..8 {
        let slow = world.serve(deed("slow")).await;
        let (plugins, begun) = (Arc::clone(&world.plugins), Arc::new(AtomicBool::new(false)));
        let call = std::thread::spawn({
            let begun = Arc::clone(&begun);
            move || {
                let input = RoutingInput { waited_ms: 100_000_000 << doubled, ..input(3) };
                begun.store(true, Ordering::Release);
                plugins.rank(&input)
            }
        });
        while !begun.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        world.plugins.activate(next.id).await.unwrap();
        let in_flight = !call.is_finished();
        assert_eq!(world.plugins.rank(&input(3)).generation, Some(next.id), "the next call");
        let answer = call.join().unwrap();
        assert_eq!((answer.outcome, answer.generation), (Outcome::Answered, Some(slow.id)));
        assert_eq!(answer.value.unwrap().scores, [0.0, -1.0, -2.0]);
        assert_eq!(world.calls(slow.id), Some(1), "it counts for the one it began with");
        if in_flight {
            return;
        }
    }
    panic!("no call was ever in flight over a swap");
}

#[tokio::test]
async fn each_generation_has_its_own_counts_and_goes_on_with_them() {
    let world = world().await;
    let up = world.serve(deed("behave")).await;
    let rank = |times: usize| (0..times).for_each(|_| drop(world.plugins.rank(&input(3))));
    rank(2);
    let down = world.serve(deed("reverse")).await;
    rank(3);
    assert_eq!((world.calls(up.id), world.calls(down.id)), (Some(2), Some(3)));
    world.plugins.rollback(Point::Routing).await.unwrap();
    rank(1);
    assert_eq!((world.calls(up.id), world.calls(down.id)), (Some(3), Some(3)));
    let [routing, ..] = world.plugins.stats();
    let numbers: Vec<_> = routing.served.iter().map(|one| one.number).collect();
    assert_eq!(numbers, [up.number, down.number], "who began last first");
}

#[tokio::test]
async fn counts_are_kept_of_the_last_generations_only() {
    let world = world().await;
    let row = world.serve(deed("behave")).await;
    let tallies = stats::Tallies::default();
    let nth = |id: u64| Generation { id: GenerationId::new(id).unwrap(), ..row.clone() };
    for id in 1..=40 {
        tallies.of(&nth(id)).record(Outcome::Answered, Duration::ZERO, 1);
        tallies.of(&nth(1)).record(Outcome::Answered, Duration::ZERO, 1);
    }
    let served = tallies.read(Point::Routing).served;
    assert_eq!(served.len(), 32);
    assert_eq!((served[0].generation, served[0].calls), (nth(1).id, 41), "it served all along");
    assert_eq!(served[31].generation, nth(10).id, "those before are forgotten");
}

#[tokio::test]
async fn a_restart_restores_what_was_active() {
    let world = world().await;
    let row = world.serve(deed("reverse")).await;
    let storage = Arc::clone(&world.storage);
    let config = PluginsConfig::default();
    let again = Plugins::open(storage, config, Clock::system()).await.unwrap();
    assert_eq!(again.rank(&input(2)).generation, Some(row.id));
}
