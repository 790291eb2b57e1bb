//! The structure of the tree as a test: what no lint knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use integration::workspace::root;

/// Lowest room first; a crate may depend on those before it. `bench` and `integration` see brokers over the wire only.
const ROOMS: [&str; 5] = ["protocol", "storage", "raft", "broker", "bin"];
const WIRE_ONLY: [&str; 2] = ["bench", "integration"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for package in ROOMS.iter().chain(&WIRE_ONLY).chain(&["fuzz"]) {
        for folder in ["src", "tests", "benches"] {
            let folder = root().join(package).join(folder);
            if folder.is_dir() {
                found.extend(sources(&folder));
            }
        }
    }
    assert!(found.len() > 50, "the tree is where it should be: {found:?}");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// What stands before the tests of a file.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn is_test_file(path: &Path) -> bool {
    let name = shown(path);
    name.contains("/tests/") || name.ends_with("/tests.rs") || name.ends_with("/testing.rs") || name.contains("/tests_")
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = all_sources().into_iter().filter(|path| !read(path).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "begin with `//!`: {silent:?}");
}

#[test]
fn arrows_between_crates_go_down_only() {
    for (place, package) in ROOMS.iter().enumerate() {
        let allowed: Vec<_> = ROOMS[..place].iter().map(|name| package_name(name)).collect();
        assert_arrows(package, &allowed);
    }
    for package in WIRE_ONLY {
        assert_arrows(package, &["protocol"]);
    }
}

fn package_name(folder: &str) -> &str {
    if folder == "bin" { "ottla" } else { folder }
}

fn assert_arrows(package: &str, allowed: &[&str]) {
    let manifest = read(&root().join(package).join("Cargo.toml"));
    for line in manifest.lines() {
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        let is_ours = ROOMS.iter().map(|folder| package_name(folder)).any(|ours| ours == name);
        let is_dependency = is_ours && line.contains("workspace");
        assert!(!is_dependency || allowed.contains(&name), "{package} may not depend on {name}");
    }
}

/// The string literals that look like `a.b` or `a.b.c`: Kafka's keys.
fn dotted_literals(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for literal in text.split('"').skip(1).step_by(2) {
        let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
        if literal.contains('.') && literal.split('.').all(is_word) {
            found.insert(literal);
        }
    }
    found
}

#[test]
fn config_keys_are_spelled_in_one_room() {
    let config = root().join("broker/src/config");
    let definitions: Vec<_> = sources(&config.join("definitions")).iter().map(|path| read(path)).collect();
    let keys: BTreeSet<_> = definitions.iter().flat_map(|text| dotted_literals(text)).collect();
    assert!(keys.len() > 300, "the keys are rows of the tables: {keys:?}");
    for path in all_sources() {
        let ours = ROOMS.iter().any(|room| path.starts_with(root().join(room).join("src")));
        // meta.properties is a file format, whose words happen to be those of keys.
        let is_format = path.ends_with("storage/src/meta_properties.rs");
        // The controller elects leaders by two settings of topics, which it must know by name.
        let is_election = path.ends_with("raft/src/controller/plan.rs");
        if !ours || is_format || is_election || path.starts_with(&config) || is_test_file(&path) {
            continue;
        }
        let text = read(&path);
        for literal in dotted_literals(without_tests(&text)) {
            assert!(!keys.contains(literal), "{}: \"{literal}\" belongs in broker/src/config", shown(&path));
        }
    }
}

#[test]
fn nothing_is_left_to_do_without_an_issue() {
    // Spelled apart, so that this file does not find itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    for path in all_sources() {
        for (number, line) in read(&path).lines().enumerate() {
            let open = words.iter().any(|word| line.contains(word)) && !line.contains("issue");
            assert!(!open, "{}:{}: {line}", shown(&path), number + 1);
        }
    }
}

#[test]
fn every_handler_is_in_the_table_and_the_reverse() {
    let folder = root().join("broker/src/handlers");
    let table = read(&folder.join("mod.rs"));
    let rows: BTreeSet<_> = table.lines().filter_map(|line| line.trim().strip_suffix("::handle;")).collect();
    let rows: BTreeSet<_> = rows.into_iter().filter_map(|row| row.rsplit(' ').next()).collect();
    let mut handlers = BTreeSet::new();
    for entry in fs::read_dir(&folder).expect("the handlers are there") {
        let path = entry.expect("the folder can be read").path();
        let file = if path.is_dir() { path.join("mod.rs") } else { path.clone() };
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let handles = |line: &str| line.trim_start().starts_with("pub") && line.contains(" fn handle(");
        if name != "mod" && read(&file).lines().any(handles) {
            handlers.insert(name);
        }
    }
    assert!(!handlers.is_empty());
    assert_eq!(handlers.iter().map(String::as_str).collect::<BTreeSet<_>>(), rows);
}

#[test]
fn handlers_say_what_they_serve() {
    let folder = root().join("broker/src/handlers");
    for path in sources(&folder) {
        let text = read(&path);
        if text.contains(" fn handle(") && !path.ends_with("handlers/mod.rs") {
            let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            assert!(head.to_lowercase().contains("version"), "{}: key, versions, behaviour, source", shown(&path));
        }
    }
}

/// The second part of a logger's name is a file or folder beside the crate's root.
#[test]
fn whatever_writes_to_the_log_has_a_logger() {
    let loggers = read(&root().join("broker/src/loggers.rs"));
    for room in ROOMS {
        let folder = root().join(room).join("src");
        for path in sources(&folder).into_iter().filter(|path| !is_test_file(path)) {
            let text = read(&path);
            let writes = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];
            if !writes.iter().any(|macro_name| without_tests(&text).contains(&format!("tracing::{macro_name}"))) {
                continue;
            }
            let inside = path.strip_prefix(&folder).expect("it lies there");
            let part = inside.iter().next().and_then(|part| Path::new(part).file_stem()?.to_str()).unwrap_or_default();
            let package = package_name(room);
            let name = if ["lib", "main"].contains(&part) { package.to_owned() } else { format!("{package}.{part}") };
            assert!(loggers.contains(&format!("    \"{name}\",\n")), "{}: no logger is called {name}", shown(&path));
        }
    }
}
