//! What the simulation forgets, and what it must not.

use std::path::Path;

use super::*;
use crate::file_system::read_exact;

fn root() -> &'static Path {
    Path::new("/")
}

fn create(file_system: &LosingFileSystem, name: &str) -> Arc<dyn File> {
    file_system.open(&root().join(name), OpenMode::Create).unwrap()
}

fn read(file_system: &LosingFileSystem, name: &str) -> Option<Vec<u8>> {
    file_system.read(&root().join(name)).ok()
}

#[test]
fn unsynced_bytes_and_names_are_lost() {
    let file_system = LosingFileSystem::new();
    let named = create(&file_system, "named");
    file_system.sync_dir(root()).unwrap();
    named.write_all_at(b"synced", 0).unwrap();
    named.sync_data().unwrap();
    named.write_all_at(b" lost", 6).unwrap();
    let unnamed = create(&file_system, "unnamed");
    unnamed.write_all_at(b"synced", 0).unwrap();
    unnamed.sync_data().unwrap();

    file_system.power_cut(Survival::Nothing);
    assert_eq!(read(&file_system, "named").unwrap(), b"synced");
    assert_eq!(read(&file_system, "unnamed"), None);
    assert!(named.size().is_err(), "handles die with the power");
}

#[test]
fn a_process_that_dies_loses_nothing() {
    let file_system = LosingFileSystem::new();
    let guard = file_system.lock(&root().join(".lock")).unwrap();
    create(&file_system, "a").write_all_at(b"kept", 0).unwrap();
    file_system.power_cut(Survival::Everything);
    assert_eq!(read(&file_system, "a").unwrap(), b"kept");
    let _second = file_system.lock(&root().join(".lock")).unwrap();
    drop(guard);
    assert!(file_system.lock(&root().join(".lock")).is_err(), "a lock of before the cut is not the new one");
}

#[test]
fn a_rename_is_atomic_at_every_seed() {
    for seed in 0..50 {
        let file_system = LosingFileSystem::new();
        file_system.write_atomic(&root().join("a"), b"old").unwrap();
        let file = create(&file_system, "a.tmp");
        file.write_all_at(b"new", 0).unwrap();
        file.sync_data().unwrap();
        file_system.rename(&root().join("a.tmp"), &root().join("a")).unwrap();
        file_system.power_cut(Survival::Random { seed });
        let content = read(&file_system, "a").unwrap();
        assert!(content == b"old" || content == b"new", "seed {seed}: {content:?}");
    }
}

#[test]
fn writes_survive_in_any_combination_and_torn() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let file_system = LosingFileSystem::new();
        let file = create(&file_system, "a");
        file.sync_data().unwrap();
        file_system.sync_dir(root()).unwrap();
        file.write_all_at(&[1; 2 * 512], 0).unwrap();
        file.write_all_at(&[2; 512], 2 * 512).unwrap();
        file_system.power_cut(Survival::Random { seed });
        let content = read(&file_system, "a").unwrap();
        let sectors: Vec<u8> = content.chunks(512).map(|sector| sector[0]).collect();
        assert!(content.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])), "torn inside a sector");
        seen.insert(sectors);
    }
    for expected in [&[][..], &[1, 1, 2], &[0, 0, 2], &[1, 1], &[0, 1], &[1], &[0, 1, 2], &[1, 0, 2]] {
        assert!(seen.contains(expected), "{expected:?} never happened: {seen:?}");
    }
}

#[test]
fn the_same_seed_leaves_the_same() {
    let leave = |seed| {
        let file_system = LosingFileSystem::new();
        let file = create(&file_system, "a");
        file_system.sync_dir(root()).unwrap();
        for number in 0..40u8 {
            file.write_all_at(&[number; 300], u64::from(number) * 300).unwrap();
        }
        file_system.power_cut(Survival::Random { seed });
        read(&file_system, "a")
    };
    assert_eq!(leave(7), leave(7));
    assert_ne!(leave(7), leave(8));
}

#[test]
fn a_failed_sync_loses_what_it_covered_even_if_repeated() {
    let file_system = LosingFileSystem::new();
    let file = create(&file_system, "a");
    file_system.sync_dir(root()).unwrap();
    file.write_all_at(b"gone", 0).unwrap();
    file_system.fail(Operation::Sync, "a", 0, libc::EIO);
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(libc::EIO));
    file.sync_data().unwrap();
    assert_eq!(read(&file_system, "a").unwrap(), b"gone", "reads still show it");
    file_system.power_cut(Survival::Nothing);
    assert_eq!(read(&file_system, "a").unwrap(), b"");
}

#[test]
fn failures_come_where_and_when_they_are_told() {
    let file_system = LosingFileSystem::new();
    let (a, b) = (create(&file_system, "a"), create(&file_system, "b"));
    file_system.fail(Operation::Write, "b", 1, libc::EIO);
    file_system.fail(Operation::Read, "a", 0, libc::EIO);
    a.write_all_at(b"a", 0).unwrap();
    b.write_all_at(b"b", 0).unwrap();
    assert!(b.write_all_at(b"c", 0).is_err());
    b.write_all_at(b"d", 0).unwrap();
    assert!(a.read_at(&mut [0], 0).is_err());
    a.read_at(&mut [0], 0).unwrap();
}

#[test]
fn a_full_device_takes_part_of_a_write() {
    let file_system = LosingFileSystem::new();
    let file = create(&file_system, "a");
    file_system.limit_space(Some(6));
    file.write_all_at(b"1234", 0).unwrap();
    assert_eq!(file.write_all_at(b"5678", 4).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(read(&file_system, "a").unwrap(), b"123456");
    assert_eq!(file_system.space(root()).unwrap().usable_bytes, 0);
    file_system.limit_space(None);
    file.write_all_at(b"78", 6).unwrap();
}

#[test]
fn the_power_fails_between_any_two_changes() {
    for changes in 0..6 {
        let file_system = LosingFileSystem::new();
        file_system.fail_power_after(changes);
        let outcome = file_system.write_atomic(&root().join("a"), b"x");
        assert_eq!(outcome.is_err(), changes < 6, "create, cut, write, sync, rename, sync of the directory");
        assert_eq!(file_system.is_off(), outcome.is_err());
        file_system.power_cut(Survival::Nothing);
        assert_eq!(read(&file_system, "a"), None);
        file_system.write_atomic(&root().join("a"), b"x").unwrap();
    }
}

#[test]
fn calls_are_counted() {
    let file_system = LosingFileSystem::new();
    let file = create(&file_system, "a");
    file.write_all_at(b"12", 0).unwrap();
    file.sync_data().unwrap();
    file_system.sync_dir(root()).unwrap();
    read_exact(&*file, &mut [0], 0).unwrap();
    let expected =
        Counts { opens: 1, reads: 1, writes: 1, written_bytes: 2, syncs: 1, dir_syncs: 1, names: 1, lists: 0 };
    assert_eq!(file_system.counts(), expected);
}

#[test]
fn an_absurd_position_is_refused() {
    let file_system = LosingFileSystem::new();
    let file = create(&file_system, "a");
    assert!(file.write_all_at(b"1", u64::MAX).is_err());
    assert!(file.write_all_at(b"1", 1 << 40).is_err());
    assert!(file.truncate(1 << 40).is_err());
}
