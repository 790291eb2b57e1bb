//! All fuzz targets in one binary; the environment says which one runs. `run` builds and drives it.
//!
//! ```text
//! FUZZ_LIST=1                          prints the names of all targets
//! FUZZ_TARGET=name FUZZ_SEEDS=folder   writes the target's seeds into the folder, a file each
//! FUZZ_TARGET=name                     fuzzes; the arguments are libFuzzer's
//! ```
//!
//! A target takes any bytes. It fails by a panic: that of the code under test, or of an assertion of its own, which says
//! what must hold of whatever was accepted.

#![no_main]

mod corpus;
mod cut;
mod group;
mod log;
mod log_dir;
mod metadata;
mod record_batch;
mod request;
mod settings;
mod small_files;

use std::path::Path;
use std::sync::OnceLock;
use std::{env, process};

/// As in every binary that reads requests (see the crate `protocol`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Something that takes bytes of a stranger.
struct Target {
    name: String,
    run: Box<dyn Fn(&[u8]) + Send + Sync>,
    /// Inputs that lead far into the code; the target's file in `corpus/` adds what fuzzing found.
    seeds: Vec<Vec<u8>>,
}

impl Target {
    fn new(name: impl Into<String>, seeds: Vec<Vec<u8>>, run: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run), seeds }
    }
}

static TARGET: OnceLock<Target> = OnceLock::new();

fn targets() -> Vec<Target> {
    let rooms = [
        request::targets(),
        record_batch::targets(),
        metadata::targets(),
        group::targets(),
        small_files::targets(),
        log::targets(),
        log_dir::targets(),
        settings::targets(),
    ];
    rooms.into_iter().flatten().collect()
}

fn choose() {
    if env::var_os("FUZZ_LIST").is_some() {
        targets().iter().for_each(|target| println!("{}", target.name));
        process::exit(0);
    }
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    let Some(target) = targets().into_iter().find(|target| target.name == name) else {
        eprintln!("FUZZ_TARGET: there is no target {name:?}");
        process::exit(2);
    };
    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        let inputs = target.seeds.into_iter().chain(corpus::read(&target.name));
        corpus::write_files(Path::new(&folder), inputs).expect("the folder can be written to");
        process::exit(0);
    }
    assert!(TARGET.set(target).is_ok(), "libFuzzer begins once");
}

libfuzzer_sys::fuzz_target!(init: choose(), |bytes: &[u8]| {
    let target = TARGET.get().expect("libFuzzer begins with the choice");
    (target.run)(bytes);
});
