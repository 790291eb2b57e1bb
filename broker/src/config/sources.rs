//! Where a node's keys come from. Precedence: command line > environment > file > default.

use super::Environment;

/// What a start without a file means: one machine, no key set. The weakest of all: a file takes its place.
const FIRST_RUN: [(&str, &str); 3] = [
    ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
    ("log.dirs", "./ottla-data"),
    ("controller.listener.names", "CONTROLLER"),
];

/// Everything that says something about a node.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The keys of `server.properties`, if there is one.
    pub file: Option<Vec<(String, String)>>,
    pub environment: Environment,
    /// What `--override` gives.
    pub command_line: Vec<(String, String)>,
}

impl Sources {
    /// Every key and value, the weakest source first: of a key that comes twice, the last counts.
    pub fn properties(self) -> Vec<(String, String)> {
        let derived = self.derived_listeners();
        let stronger: Vec<_> = self.environment.properties.into_iter().chain(self.command_line).collect();
        let is_given = |key: &str| stronger.iter().any(|(given, _)| given == key);
        let mut properties = match self.file {
            Some(file) => file,
            // A directory that somebody names by the other key counts.
            None => FIRST_RUN
                .iter()
                .filter(|(key, _)| *key != "log.dirs" || !is_given("log.dir"))
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        properties.extend(derived.map(|listeners| ("listeners".to_owned(), listeners)));
        properties.extend(stronger);
        properties
    }

    /// Where to listen if nobody says: images are told only how they are reached, and listen on every address (`configure` of
    /// apache/kafka).
    fn derived_listeners(&self) -> Option<String> {
        let file = self.file.iter().flatten();
        if file.chain(&self.command_line).any(|(key, _)| key == "listeners") {
            return None;
        }
        self.environment.properties.get("advertised.listeners").map(|advertised| on_every_address(advertised))
    }
}

/// The listeners with no host.
fn on_every_address(listeners: &str) -> String {
    let everywhere = |listener: &str| match (listener.split_once("://"), listener.rsplit_once(':')) {
        (Some((name, _)), Some((_, port))) => format!("{name}://:{port}"),
        _ => listener.to_owned(),
    };
    listeners.split(',').map(everywhere).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn value(sources: Sources, key: &str) -> Option<String> {
        sources.properties().into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    fn environment(properties: &[(&str, &str)]) -> Environment {
        Environment { properties: pairs(properties).into_iter().collect(), ..Environment::default() }
    }

    #[test]
    fn the_command_line_is_stronger_than_the_environment_and_that_than_the_file() {
        let sources = Sources {
            file: Some(pairs(&[("a", "file"), ("b", "file"), ("c", "file")])),
            environment: environment(&[("b", "environment"), ("c", "environment")]),
            command_line: pairs(&[("c", "command line")]),
        };
        let value = |key| value(sources.clone(), key).unwrap();
        assert_eq!((value("a"), value("b"), value("c")), ("file".into(), "environment".into(), "command line".into()));
        let without_default = sources.clone().properties();
        assert!(!without_default.iter().any(|(key, _)| key == "log.dirs"), "a file takes the place of the first run");
    }

    #[test]
    fn a_first_run_keeps_to_this_machine() {
        let listeners = value(Sources::default(), "listeners").unwrap();
        assert!(listeners.starts_with("PLAINTEXT://127.0.0.1:9092"));
        let named = Sources { command_line: pairs(&[("log.dir", "/x")]), ..Sources::default() };
        assert_eq!(value(named, "log.dirs"), None);
    }

    #[test]
    fn who_only_says_how_it_is_reached_listens_everywhere() {
        let advertised = environment(&[("advertised.listeners", "PLAINTEXT://localhost:9092,B://[::1]:9")]);
        let sources = Sources { environment: advertised.clone(), ..Sources::default() };
        assert_eq!(value(sources, "listeners").unwrap(), "PLAINTEXT://:9092,B://:9");
        let of_file = pairs(&[("listeners", "PLAINTEXT://10.0.0.1:9092,CONTROLLER://:9093")]);
        let sources = Sources { file: Some(of_file), environment: advertised, ..Sources::default() };
        assert_eq!(value(sources, "listeners").unwrap(), "PLAINTEXT://10.0.0.1:9092,CONTROLLER://:9093");
    }
}
