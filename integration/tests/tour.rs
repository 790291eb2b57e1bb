//! Runs every command of `docs/tour.md` in its order, and compares what it prints with what the page shows.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use integration::{process, workspace};

const LIMIT: Duration = Duration::from_secs(120);
/// Printed between the blocks, so that each output is found.
const MARK: &str = "=== end of block ===";
const ANYTHING: char = '…';

/// A block of commands, and what the page says they print.
struct Block {
    commands: String,
    shown: Option<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```").filter(|language| !language.is_empty()) else { continue };
        let body: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        match (language, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block { commands: body, shown: None }),
            ("text", Some(block)) if block.shown.is_none() => block.shown = Some(body),
            _ => panic!("a block of {language} that nothing checks:\n{body}"),
        }
    }
    blocks
}

/// Whether a line is the one shown, in which `…` stands for anything.
fn matches(line: &str, shown: &str) -> bool {
    let mut pieces = shown.split(ANYTHING);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut is_open = false;
    for piece in pieces {
        is_open = piece.is_empty();
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    is_open || rest.is_empty()
}

#[test]
fn the_tour_does_what_it_says() {
    let page = fs::read_to_string(workspace::root().join("docs/tour.md")).expect("the tour is there");
    let blocks = blocks(&page);
    assert!(blocks.len() > 5, "the tour has commands");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("path");
    fs::create_dir(&path).expect("a folder can be made");
    symlink(workspace::ottla(), path.join("ottla")).expect("a link can be made");
    let script: String = blocks.iter().map(|block| format!("{}echo '{MARK}'\n", block.commands)).collect();
    // A network of its own: the tour uses the port that everybody uses, and ends with whatever it left running.
    let script =
        format!("ip link set lo up\nset -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{script}");
    let mut command = Command::new("unshare");
    command.args(["--net", "--map-root-user", "--pid", "--fork", "--kill-child", "bash", "-c", &script]);
    let inherited = std::env::var("PATH").expect("PATH is set");
    command.env("PATH", format!("{}:{inherited}", path.display())).current_dir(folder.path());
    let finished = process::run(&mut command, b"", LIMIT);
    let log = fs::read_to_string(folder.path().join("ottla.log")).unwrap_or_default();
    assert!(finished.status.success(), "{}\n--- the broker\n{log}", finished.everything());
    let outputs: Vec<&str> = finished.stdout.split(MARK).collect();
    assert_eq!(outputs.len(), blocks.len() + 1, "{}", finished.everything());
    for (block, output) in blocks.iter().zip(outputs) {
        let Some(shown) = &block.shown else { continue };
        let (output, shown): (Vec<&str>, Vec<&str>) = (output.trim().lines().collect(), shown.trim().lines().collect());
        let same = output.len() == shown.len() && output.iter().zip(&shown).all(|(line, shown)| matches(line, shown));
        assert!(same, "{}printed\n{}\nnot\n{}", block.commands, output.join("\n"), shown.join("\n"));
    }
}

#[test]
fn dots_stand_for_anything_and_nothing_else_does() {
    assert!(
        matches("cluster     abc", "cluster     …")
            && matches("a b c", "a … c")
            && matches("x no problem", "… no problem")
    );
    assert!(!matches("a b c", "a b") && !matches("a b", "a b c") && !matches("a b c d", "a … c"));
}
