//! The contract of [`FileSystem`], for every implementation.

use std::io::{ErrorKind, IoSlice};
use std::path::Path;

use super::*;

/// Runs a test on every implementation, in an empty directory.
fn on_each(test: impl Fn(&dyn FileSystem, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    test(&OsFileSystem, folder.path());
    test(&LosingFileSystem::new(), Path::new("/"));
}

fn write(file_system: &dyn FileSystem, path: &Path, bytes: &[u8]) {
    file_system.open(path, OpenMode::Create).unwrap().write_all_at(bytes, 0).unwrap();
}

fn kind<T: fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn modes_decide_what_must_exist() {
    on_each(|file_system, root| {
        let path = root.join("a");
        assert_eq!(kind(file_system.open(&path, OpenMode::Read)), ErrorKind::NotFound);
        assert_eq!(kind(file_system.open(&path, OpenMode::ReadWrite)), ErrorKind::NotFound);
        file_system.open(&path, OpenMode::CreateNew).unwrap();
        assert_eq!(kind(file_system.open(&path, OpenMode::CreateNew)), ErrorKind::AlreadyExists);
        write(file_system, &path, b"kept");
        assert_eq!(file_system.open(&path, OpenMode::Create).unwrap().size().unwrap(), 4);
        let reader = file_system.open(&path, OpenMode::Read).unwrap();
        assert!(reader.write_all_at(b"x", 0).is_err());
    });
}

#[test]
fn reads_end_where_the_file_ends() {
    on_each(|file_system, root| {
        let file = file_system.open(&root.join("a"), OpenMode::Create).unwrap();
        file.write_all_at(b"0123456789", 0).unwrap();
        let mut buffer = [0; 6];
        assert_eq!(file.read_at(&mut buffer, 2).unwrap(), 6);
        assert_eq!(&buffer, b"234567");
        assert_eq!(read_full(&*file, &mut buffer, 7).unwrap(), 3);
        assert_eq!(file.read_at(&mut buffer, 10).unwrap(), 0);
        assert_eq!(file.read_at(&mut buffer, 1000).unwrap(), 0);
        assert_eq!(kind(read_exact(&*file, &mut buffer, 7)), ErrorKind::UnexpectedEof);
        assert_eq!(file.read_uncached_at(&mut buffer, 4).unwrap(), 6);
        assert_eq!(file.read_resident_at(&mut buffer, 4).unwrap(), 6);
    });
}

#[test]
fn many_slices_are_written_as_one() {
    on_each(|file_system, root| {
        let file = file_system.open(&root.join("a"), OpenMode::Create).unwrap();
        let pieces: Vec<Vec<u8>> =
            (0..3000u32).map(|number| number.to_be_bytes()[..number as usize % 4].to_vec()).collect();
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        file.write_all_vectored_at(&mut slices, 5).unwrap();
        file.write_all_vectored_at(&mut [], 0).unwrap();
        let mut expected = vec![0; 5];
        expected.extend(pieces.concat());
        assert_eq!(file_system.read(&root.join("a")).unwrap(), expected);
    });
}

#[test]
fn truncation_cuts_and_grows() {
    on_each(|file_system, root| {
        let path = root.join("a");
        write(file_system, &path, b"0123456789");
        let file = file_system.open(&path, OpenMode::ReadWrite).unwrap();
        file.truncate(3).unwrap();
        file.truncate(5).unwrap();
        assert_eq!(file_system.read(&path).unwrap(), b"012\0\0");
        assert_eq!(file_system.metadata(&path).unwrap().size, 5);
    });
}

#[test]
fn names_change_and_open_files_stay() {
    on_each(|file_system, root| {
        let (old, new) = (root.join("old"), root.join("new"));
        write(file_system, &old, b"content");
        write(file_system, &new, b"replaced");
        let file = file_system.open(&old, OpenMode::Read).unwrap();
        file_system.rename(&old, &new).unwrap();
        assert_eq!(file_system.read(&new).unwrap(), b"content");
        assert!(!file_system.exists(&old).unwrap());
        assert_eq!(kind(file_system.rename(&old, &new)), ErrorKind::NotFound);
        file_system.remove_file(&new).unwrap();
        assert_eq!(kind(file_system.remove_file(&new)), ErrorKind::NotFound);
        let mut buffer = [0; 7];
        read_exact(&*file, &mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"content");
    });
}

#[test]
fn directories_are_made_listed_moved_and_removed() {
    on_each(|file_system, root| {
        let folder = root.join("a/b");
        file_system.create_dir_all(&folder).unwrap();
        file_system.create_dir_all(&folder).unwrap();
        write(file_system, &folder.join("file"), b"");
        file_system.create_dir_all(&folder.join("folder")).unwrap();
        let mut listed: Vec<_> =
            file_system.read_dir(&folder).unwrap().into_iter().map(|entry| (entry.name, entry.is_dir)).collect();
        listed.sort();
        assert_eq!(listed, [("file".to_owned(), false), ("folder".to_owned(), true)]);
        file_system.rename(&folder, &root.join("a/c")).unwrap();
        assert!(file_system.exists(&root.join("a/c/file")).unwrap());
        assert!(file_system.metadata(&root.join("a/c")).unwrap().is_dir);
        file_system.sync_dir(&root.join("a")).unwrap();
        file_system.remove_dir_all(&root.join("a")).unwrap();
        assert_eq!(kind(file_system.read_dir(&root.join("a"))), ErrorKind::NotFound);
        assert_eq!(kind(file_system.remove_dir_all(&root.join("a"))), ErrorKind::NotFound);
    });
}

#[test]
fn a_file_is_replaced_whole() {
    on_each(|file_system, root| {
        let path = root.join("a");
        file_system.write_atomic(&path, b"a longer text").unwrap();
        file_system.write_atomic(&path, b"short").unwrap();
        assert_eq!(file_system.read(&path).unwrap(), b"short");
        assert!(!file_system.exists(&root.join("a.tmp")).unwrap());
    });
}

#[test]
fn one_holds_the_lock_at_a_time() {
    on_each(|file_system, root| {
        let path = root.join(".lock");
        let guard = file_system.lock(&path).unwrap();
        assert_eq!(kind(file_system.lock(&path)), ErrorKind::WouldBlock);
        drop(guard);
        file_system.lock(&path).unwrap();
    });
}

#[test]
fn the_device_has_a_size() {
    on_each(|file_system, root| {
        let space = file_system.space(root).unwrap();
        assert!(space.total_bytes > 0 && space.usable_bytes <= space.total_bytes);
    });
}
