//! Inputs to begin with: the golden files of the crates, and `corpus/<target>.txt` with one input a line in hexadecimal.

use std::path::{Path, PathBuf};
use std::{fs, io};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The target's file of the corpus.
///
/// # Panics
/// It is there and not hexadecimal.
pub(crate) fn read(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(root().join("corpus").join(format!("{target}.txt"))).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).map(from_hex).collect()
}

/// Writes each input as a file, named by its content.
pub(crate) fn write_files(folder: &Path, inputs: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for input in inputs {
        fs::write(folder.join(format!("seed-{:08x}-{}", crc32c::crc32c(&input), input.len())), input)?;
    }
    Ok(())
}

/// A file below the tests' golden folder of a crate.
///
/// # Panics
/// It is not there.
pub(crate) fn golden(crate_name: &str, file: &str) -> Vec<u8> {
    let path = golden_folder(crate_name).join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The tests' golden folder of a crate.
pub(crate) fn golden_folder(crate_name: &str) -> PathBuf {
    root().join("..").join(crate_name).join("tests/golden")
}

/// The longest piece of hexadecimal digits in each line of a golden file: the bytes that the line is about.
pub(crate) fn golden_lines(crate_name: &str, file: &str) -> Vec<Vec<u8>> {
    let text = String::from_utf8(golden(crate_name, file)).expect("golden files are text");
    let is_hex = |word: &&str| word.len() % 2 == 0 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let longest = |line: &str| line.split_whitespace().filter(is_hex).max_by_key(|word| word.len()).map(from_hex);
    text.lines().filter(|line| !line.starts_with('#')).filter_map(longest).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}
