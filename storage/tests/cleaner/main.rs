//! Compacted logs: whatever was appended and however often the log was cleaned, who reads it ends up with the same last value of
//! every key, at the same offsets, and nothing that nobody sent; wherever the power fails meanwhile.
//!
//! A failure prints its seed; `CLEANER_SEED=n cargo test -p storage --test cleaner` runs that one alone.

#[path = "../crash/random.rs"]
mod random;
mod world;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use protocol::record_batch::{Batches, check_crc};
use storage::file_system::Survival;
use storage::{Error, ReadLimits};

use crate::world::World;

fn for_seeds(name: &str, count: u64, run: impl Fn(u64)) {
    let one = env::var("CLEANER_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in one.map_or(0..count, |seed| seed..seed + 1) {
        if let Err(failure) = panic::catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("{name}: failed with CLEANER_SEED={seed}");
            panic::resume_unwind(failure);
        }
    }
}

#[test]
fn rounds_of_cleaning_lose_no_last_value() {
    for_seeds("rounds", 60, |seed| {
        let mut world = World::new(seed);
        world.has_transactions = true;
        for _ in 0..8 {
            let batches = world.random.between(5, 60);
            (0..batches).for_each(|_| world.append());
            world.pass_time();
            world.clean().expect("the power is on");
            world.check();
            world.check_cleaned();
        }
    });
}

#[test]
fn a_small_map_takes_several_rounds() {
    for_seeds("small map", 20, |seed| {
        let mut world = World::new(seed);
        world.keys = 100;
        // Room for 20 keys.
        world.dedupe_buffer_bytes = 24 * 23;
        (0..200).for_each(|_| world.append());
        let mut rounds = 0;
        while world.clean().expect("the power is on") {
            world.check();
            world.check_cleaned();
            rounds += 1;
            assert!(rounds < 100, "no progress");
        }
        assert!(rounds > 2);
    });
}

#[test]
fn producers_are_known_from_what_compaction_leaves() {
    for_seeds("producers", 40, |seed| {
        let mut world = World::new(seed);
        for _ in 0..4 {
            (0..40).for_each(|_| world.append());
            world.pass_time();
            world.clean().expect("the power is on");
        }
        world.flush();
        world.close();
        world.remove_snapshots();
        world.file_system.power_cut(Survival::Everything);
        world.open().expect("the power is on");
        world.check();
        world.resend_last_batches();
    });
}

#[test]
fn the_power_fails_at_every_change_of_a_cleaning() {
    for_seeds("every change", 1, |seed| {
        let prepare = || {
            let mut world = World::new(seed);
            world.keys = 60;
            (0..60).for_each(|_| world.append());
            world.flush();
            // A first round, so that the second one merges what it left, which few of the keys that follow supersede.
            world.clean().expect("the power is on");
            world.pass_time();
            world.keys = 8;
            (0..60).for_each(|_| world.append());
            world.flush();
            world
        };
        let changes = |world: &World| {
            let counts = world.file_system.counts();
            counts.writes + counts.syncs + counts.dir_syncs + counts.names
        };
        let mut whole = prepare();
        let before = changes(&whole);
        whole.clean().expect("the power is on");
        let total = changes(&whole) - before;
        assert!(total > 20);
        // Of the renames between two syncs any may be lost: several draws of each.
        let draws = (0..2).map(|draw| Survival::Random { seed: draw + seed * 100 });
        let survivals: Vec<_> = [Survival::Everything, Survival::Nothing].into_iter().chain(draws).collect();
        for (cut, survival) in (0..total).flat_map(|cut| survivals.iter().map(move |survival| (cut, *survival))) {
            let mut world = prepare();
            world.file_system.fail_power_after(cut);
            let _ = world.clean();
            world.close();
            world.file_system.power_cut(survival);
            world.recover(cut);
            world.check();
            world.check_folder();
            world.clean().expect("the power is on");
            world.check();
            world.check_cleaned();
        }
    });
}

#[test]
fn a_log_without_its_recovery_point_keeps_what_lies_behind_a_gap() {
    for_seeds("lost checkpoint", 30, |seed| {
        let mut world = World::new(seed);
        (0..80).for_each(|_| world.append());
        world.clean().expect("the power is on");
        world.flush();
        world.close();
        world.remove_recovery_points();
        world.file_system.power_cut(Survival::Everything);
        world.open().expect("the power is on");
        world.check();
        world.check_cleaned();
    });
}

#[test]
fn what_is_cut_off_meanwhile_is_not_brought_back() {
    for_seeds("interrupted", 40, |seed| {
        let mut world = World::new(seed);
        (0..80).for_each(|_| world.append());
        let interruption = world.random.below(4);
        world.clean_with(|world| world.interrupt(interruption));
        world.check();
        world.check_folder();
        if interruption != 3 {
            (0..40).for_each(|_| world.append());
            world.clean().expect("the power is on");
            world.check();
            world.check_cleaned();
        }
    });
}

#[test]
fn readers_go_on_while_segments_are_replaced() {
    for_seeds("readers", 3, |seed| {
        let mut world = World::on_disk(seed);
        let is_over = AtomicBool::new(false);
        (0..200).for_each(|_| world.append());
        let log = world.log();
        thread::scope(|scope| {
            for reader in 0..3 {
                let (log, is_over) = (&log, &is_over);
                scope.spawn(move || {
                    let mut random = random::Random::new(seed * 10 + reader);
                    while !is_over.load(Ordering::Relaxed) {
                        read_somewhere(log, &mut random);
                    }
                });
            }
            for _ in 0..30 {
                (0..20).for_each(|_| world.append());
                world.pass_time();
                world.clean().expect("the disk works");
                world.delete_old_files();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        world.check();
        world.check_cleaned();
    });
}

fn read_somewhere(log: &storage::Log, random: &mut random::Random) {
    let end_offset = log.offsets().expect("the log works").log_end_offset;
    let offset = random.below(end_offset as u64) as i64;
    let limits = ReadLimits { end_offset, max_bytes: random.below(3000) as usize, at_least_one: true };
    let region = log.read(offset, limits).expect("the log can be read");
    let bytes = region.read().expect("the region stays readable");
    let mut last_offset = -1;
    for batch in Batches::new(&bytes) {
        let (header, batch) = batch.expect("whole batches");
        check_crc(batch).expect("undamaged batches");
        assert!(header.base_offset > last_offset);
        last_offset = header.last_offset();
    }
    assert!(bytes.is_empty() || last_offset >= offset, "{last_offset} is before {offset}");
    let found = log.offset_for_timestamp(world::timestamp_of(offset), end_offset).expect("the log can be searched");
    assert!(found.is_none_or(|found| found.timestamp >= world::timestamp_of(offset)));
}

#[test]
fn a_damaged_batch_is_an_error_and_nothing_changes() {
    let mut world = World::new(1);
    (0..60).for_each(|_| world.append());
    world.flush();
    world.flip_a_bit_in_the_first_segment();
    let error = world.try_clean().expect_err("the batch is damaged");
    assert!(matches!(error, storage::cleaner::CleanError::Log(Error::Corrupt { base_offset: 0, .. })), "{error}");
    world.check_folder();
    assert!(!world.log().log_dir().is_offline(), "the disk is not to blame");
}

#[test]
fn a_full_disk_gives_the_cleaning_up() {
    let mut world = World::new(2);
    (0..60).for_each(|_| world.append());
    world.flush();
    world.file_system.limit_space(Some(300));
    let error = world.try_clean().expect_err("the disk is full");
    assert!(matches!(error, storage::cleaner::CleanError::NoSpace(_)), "{error}");
    world.file_system.limit_space(None);
    world.check();
    world.check_folder();
    world.clean().expect("there is room again");
    world.check();
    world.check_cleaned();
}
