//! Logs whose disk loses what was not synced: whatever is done to them and wherever the power fails, what was flushed
//! is there afterwards, nothing is there that nobody sent, and nothing twice.
//!
//! A failure prints its seed; `CRASH_SEED=n cargo test -p storage --test crash` runs that one alone, `CRASH_SEEDS=n` so
//! many times as many as usual.

mod model;
mod random;
mod world;

use std::env;
use std::panic::{self, AssertUnwindSafe};

use storage::file_system::Survival;

use crate::world::World;

/// Runs a test for each seed, or for the one in the environment.
fn for_seeds(name: &str, count: u64, run: impl Fn(u64)) {
    let number = |name: &str| env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let seeds = number("CRASH_SEED").map_or(0..count * number("CRASH_SEEDS").unwrap_or(1), |seed| seed..seed + 1);
    for seed in seeds {
        if let Err(failure) = panic::catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("{name}: failed with CRASH_SEED={seed}");
            panic::resume_unwind(failure);
        }
    }
}

/// Steps until the power fails or `steps` were done.
fn run_steps(world: &mut World, steps: u64) {
    for _ in 0..steps {
        if world.step().is_err() {
            return;
        }
    }
}

fn any_survival(world: &mut World) -> Survival {
    match world.random.below(8) {
        0 => Survival::Nothing,
        1 => Survival::Everything,
        _ => Survival::Random { seed: world.random.next() },
    }
}

#[test]
fn the_power_fails_anywhere_in_a_long_life() {
    for_seeds("long life", 300, |seed| {
        let mut world = World::new(seed, 2);
        for _ in 0..6 {
            let changes = world.random.below(300);
            world.file_system.fail_power_after(changes);
            run_steps(&mut world, 120);
            let survival = any_survival(&mut world);
            world.crash(survival);
        }
    });
}

#[test]
fn the_power_fails_at_every_single_change_of_a_short_life() {
    for_seeds("every change", 12, |seed| {
        let steps = 40;
        let mut whole = World::new(seed, 1);
        run_steps(&mut whole, steps);
        let counts = whole.file_system.counts();
        let changes = counts.writes + counts.syncs + counts.dir_syncs + counts.names;
        for cut in 0..changes {
            let mut world = World::new(seed, 1);
            world.file_system.fail_power_after(cut);
            run_steps(&mut world, steps);
            world.crash(Survival::Random { seed: cut });
            world.file_system.fail_power_after(u64::MAX);
            run_steps(&mut world, 5);
            world.crash(Survival::Nothing);
        }
    });
}

#[test]
fn a_failed_sync_ends_all_acknowledgements() {
    for_seeds("failed sync", 150, |seed| {
        let mut world = World::new(seed, 2);
        for path_part in [".log", "leader-epoch", ""] {
            world.file_system.fail_power_after(u64::MAX);
            run_steps(&mut world, 40);
            world.fail_a_sync(path_part);
        }
        assert_eq!(world.crashes, 3);
    });
}

#[test]
fn a_full_disk_loses_nothing() {
    for_seeds("full disk", 150, |seed| {
        let mut world = World::new(seed, 2);
        for _ in 0..3 {
            world.file_system.fail_power_after(u64::MAX);
            run_steps(&mut world, 40);
            world.fill_the_disk();
        }
        world.crash(Survival::Nothing);
    });
}

#[test]
fn damaged_caches_are_made_again() {
    for_seeds("damaged caches", 150, |seed| {
        let mut world = World::new(seed, 2);
        for round in 0..8 {
            run_steps(&mut world, 40);
            world.damage_a_cache(round % 2 == 0);
            world.crash(Survival::Everything);
        }
    });
}

#[test]
fn a_damaged_log_gives_errors_and_no_wrong_records() {
    for_seeds("damaged log", 300, |seed| {
        let mut world = World::new(seed, 2);
        run_steps(&mut world, 80);
        world.damage_a_log();
    });
}
