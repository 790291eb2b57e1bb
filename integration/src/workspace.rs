//! Where things are: the checkout, the cache, the binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of this crate.
pub fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The checkout.
pub fn root() -> &'static Path {
    crate_folder().parent().expect("the crate lies in the checkout")
}

/// Where downloads are kept between runs.
pub fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/ottla");
    std::env::var_os("OTTLA_CACHE").map_or_else(home, PathBuf::from)
}

/// The `ottla` binary of the profile that this test was built with. Cargo is asked to build it every time, since
/// `cargo test` alone may leave an old one in place; when it is fresh that costs a fraction of a second.
///
/// # Panics
/// It does not build.
pub fn ottla() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("OTTLA_BINARY").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let profile = profile_folder();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "ottla"]).current_dir(root());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    // What Cargo tells this test of its own crate: ring, and so everything above it, would be built anew each time.
    for (name, _) in std::env::vars_os() {
        let is_of_crate =
            name.to_str().is_some_and(|it| it.starts_with("CARGO_PKG_") || it.starts_with("CARGO_MANIFEST_"));
        if is_of_crate {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "cargo cannot build the binary ottla");
    profile.join("ottla")
}

/// `target/debug` of `target/debug/deps/test-0123456789abcdef`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    let folder = test.ancestors().nth(2).expect("a test executable lies in target/PROFILE/deps");
    folder.to_owned()
}
