//! Keys in the environment, as the images of Apache, Confluent and Bitnami take them.
//!
//! `KAFKA_LOG_DIRS` and Bitnami's `KAFKA_CFG_LOG_DIRS` are `log.dirs`: `_` is a dot, `__` an underscore, `___` a dash. With `_FILE` behind
//! it, a variable names a file that holds the value, which keeps secrets out of the environment. Variables that the images know and that say
//! nothing to a broker without a JVM are left alone. Source: `KafkaDockerWrapper`, `configure` of the images, `libkafka.sh` of Bitnami's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::ConfigError;
use super::definitions::{all_broker_keys, broker_key};

const PREFIX: &str = "KAFKA_";
const BITNAMI_PREFIX: &str = "KAFKA_CFG_";
const FILE_SUFFIX: &str = "_FILE";

/// Variables that have a name of their own, and the key that they set.
const OWN_NAMES: [(&str, &str); 2] = [("CLUSTER_ID", "cluster.id"), ("KAFKA_KRAFT_CLUSTER_ID", "cluster.id")];

/// Where a cluster with ZooKeeper is asked for, which is not served.
const ENABLE_KRAFT: &str = "KAFKA_ENABLE_KRAFT";

/// Variables of the images and of Kafka's scripts that are no keys and change nothing here. With `*`, all that begin so.
const WITHOUT_MEANING: [&str; 38] = [
    "KAFKA_BASE_DIR",
    "KAFKA_CERTIFICATE_PASSWORD",
    "KAFKA_CLASSPATH",
    "KAFKA_CLIENT_LISTENER_NAME",
    "KAFKA_CLIENT_PASSWORDS",
    "KAFKA_CLIENT_USERS",
    "KAFKA_CONF_DIR",
    "KAFKA_CONTROLLER_PASSWORD",
    "KAFKA_CONTROLLER_USER",
    "KAFKA_DATA_DIR",
    "KAFKA_DEBUG",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_GID",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
    "KAFKA_INITIAL_CONTROLLERS",
    "KAFKA_INTER_BROKER_PASSWORD",
    "KAFKA_INTER_BROKER_USER",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    // A service called kafka in Kubernetes: `KAFKA_PORT=tcp://10.0.0.1:9092`, which is no key.
    "KAFKA_PORT*",
    "KAFKA_SERVICE_*",
    "KAFKA_KRAFT_BOOTSTRAP_SCRAM_USERS",
    "KAFKA_LOG4J_*",
    "KAFKA_MOUNTED_CONF_DIR",
    "KAFKA_OPTS",
    "KAFKA_SKIP_KRAFT_STORAGE_INIT",
    "KAFKA_SSL_*_CREDENTIALS",
    "KAFKA_SSL_*_FILENAME",
    "KAFKA_TLS_*",
    "KAFKA_TOOLS_LOG4J_*",
    "KAFKA_UID",
    "KAFKA_USER",
    "KAFKA_VERSION",
    "KAFKA_VOLUME_DIR",
    "KAFKA_ZOOKEEPER_BOOTSTRAP_SCRAM_USERS",
];

/// What the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Keys and values, by key.
    pub properties: BTreeMap<String, String>,
    /// Variables that are known and change nothing.
    pub without_meaning: BTreeSet<String>,
}

/// Reads the variables that are ours; `read_file` gives the text of a file.
///
/// # Errors
/// A file that cannot be read, a value that is given twice, a mode that is not served.
pub fn parse(
    variables: impl IntoIterator<Item = (String, String)>,
    read_file: impl Fn(&Path) -> io::Result<String>,
) -> Result<Environment, ConfigError> {
    let mut environment = Environment::default();
    // Bitnami's spelling comes first in the alphabet only by chance: the other one is the stronger.
    let mut bitnami = BTreeMap::new();
    let variables: BTreeMap<String, String> = variables.into_iter().filter(|(name, _)| is_ours(name)).collect();
    for (name, value) in &variables {
        if has_no_meaning(name) {
            environment.without_meaning.insert(name.clone());
            continue;
        }
        if name == ENABLE_KRAFT {
            check_kraft(value)?;
            environment.without_meaning.insert(name.clone());
            continue;
        }
        let (variable, value) = match plain_name(name) {
            Some(plain) if variables.contains_key(plain) => return Err(given_twice(plain, name)),
            Some(plain) => (plain, of_file(name, value, &read_file)?),
            None => (name.as_str(), value.clone()),
        };
        let is_bitnamis = variable.starts_with(BITNAMI_PREFIX);
        let properties = if is_bitnamis { &mut bitnami } else { &mut environment.properties };
        properties.insert(key_of(variable), value);
    }
    for (key, value) in bitnami {
        environment.properties.entry(key).or_insert(value);
    }
    Ok(environment)
}

fn is_ours(name: &str) -> bool {
    let plain = name.strip_suffix(FILE_SUFFIX).unwrap_or(name);
    name.starts_with(PREFIX) || OWN_NAMES.iter().any(|(own, _)| *own == plain)
}

fn has_no_meaning(name: &str) -> bool {
    let plain = name.strip_suffix(FILE_SUFFIX).unwrap_or(name);
    WITHOUT_MEANING.iter().any(|pattern| match pattern.split_once('*') {
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => *pattern == name || *pattern == plain,
    })
}

/// The key that a variable sets.
fn key_of(variable: &str) -> String {
    if let Some((_, key)) = OWN_NAMES.iter().find(|(own, _)| *own == variable) {
        return (*key).to_owned();
    }
    let rest = variable.strip_prefix(BITNAMI_PREFIX).or_else(|| variable.strip_prefix(PREFIX)).unwrap_or(variable);
    // The longest run first.
    let key = rest.to_lowercase().replace("___", "-").replace("__", "\0").replace('_', ".").replace('\0', "_");
    // A few keys of ZooKeeper's have capitals, which no variable tells.
    let known = all_broker_keys().iter().find(|definition| definition.name.eq_ignore_ascii_case(&key));
    known.map_or(key, |definition| definition.name.to_owned())
}

/// The variable whose value is in the file that `name` names, unless `name` is a key that happens to end so.
fn plain_name(name: &str) -> Option<&str> {
    name.strip_suffix(FILE_SUFFIX).filter(|_| broker_key(&key_of(name)).is_none())
}

fn of_file(name: &str, path: &str, read_file: &impl Fn(&Path) -> io::Result<String>) -> Result<String, ConfigError> {
    match read_file(Path::new(path)) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(ConfigError::Conflict(format!("{name}: cannot read {path}: {error}"))),
    }
}

fn given_twice(plain: &str, file: &str) -> ConfigError {
    ConfigError::Conflict(format!("{plain} and {file} are both set ({}): one of them must go", key_of(plain)))
}

fn check_kraft(value: &str) -> Result<(), ConfigError> {
    if ["yes", "true", "1", ""].contains(&value.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!("{ENABLE_KRAFT}={value}: a cluster with ZooKeeper is not served")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Result<Environment, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let read_file = |path: &Path| match path.to_str() {
            Some("/secret") => Ok("s3cret\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        parse(variables, read_file).map_err(|error| error.to_string())
    }

    fn properties(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        environment(variables).unwrap().properties.into_iter().collect()
    }

    #[test]
    fn underscores_are_read_back_longest_run_first() {
        let found = properties(&[
            ("KAFKA_LOG_DIRS", "/data"),
            ("KAFKA_A__B___C_D", "x"),
            ("KAFKA_CFG_NUM_PARTITIONS", "3"),
            ("PATH", "/bin"),
            ("OTTLA_X", "y"),
        ]);
        let expected = [("a_b-c.d", "x"), ("log.dirs", "/data"), ("num.partitions", "3")];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn the_file_of_greptimedbs_guide_is_understood() {
        let found = environment(&[
            ("KAFKA_KRAFT_CLUSTER_ID", "Kmp-xkTnSf-WWXhWmiorDg"),
            ("KAFKA_ENABLE_KRAFT", "yes"),
            ("KAFKA_CFG_NODE_ID", "1"),
            ("KAFKA_BROKER_ID", "1"),
            ("KAFKA_CFG_PROCESS_ROLES", "broker,controller"),
            ("KAFKA_CFG_LISTENERS", "PLAINTEXT://:9092,CONTROLLER://:2181"),
            ("KAFKA_CFG_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
            ("ALLOW_PLAINTEXT_LISTENER", "yes"),
            ("KAFKA_CLIENT_USERS", "user"),
            ("KAFKA_HEAP_OPTS", "-Xmx1g"),
        ])
        .unwrap();
        assert_eq!(found.properties["cluster.id"], "Kmp-xkTnSf-WWXhWmiorDg");
        assert_eq!(found.properties["node.id"], "1");
        assert_eq!(found.properties["broker.id"], "1");
        assert_eq!(found.properties.len(), 6);
        assert_eq!(found.without_meaning.len(), 3);
    }

    #[test]
    fn apaches_spelling_is_stronger_than_bitnamis() {
        let found = properties(&[("KAFKA_CFG_LOG_DIRS", "/b"), ("KAFKA_LOG_DIRS", "/a")]);
        assert_eq!(found, [("log.dirs".to_owned(), "/a".to_owned())]);
    }

    #[test]
    fn a_file_holds_a_secret() {
        assert_eq!(properties(&[("KAFKA_SSL_KEY_PASSWORD_FILE", "/secret")])[0].1, "s3cret");
        assert_eq!(properties(&[("CLUSTER_ID_FILE", "/secret")])[0], ("cluster.id".to_owned(), "s3cret".to_owned()));
        let own = ("KAFKA_SASL_OAUTHBEARER_ASSERTION_FILE", "/nowhere");
        assert_eq!(properties(&[own])[0].1, "/nowhere", "a key that ends so");
        let refused = environment(&[("KAFKA_SSL_KEY_PASSWORD_FILE", "/nowhere")]).unwrap_err();
        assert!(refused.starts_with("KAFKA_SSL_KEY_PASSWORD_FILE: cannot read /nowhere: "), "{refused}");
        let both = environment(&[("KAFKA_NODE_ID", "1"), ("KAFKA_NODE_ID_FILE", "/secret")]).unwrap_err();
        assert_eq!(both, "KAFKA_NODE_ID and KAFKA_NODE_ID_FILE are both set (node.id): one of them must go");
    }

    #[test]
    fn what_kubernetes_and_scripts_set_is_no_key() {
        let found = environment(&[
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_LOG4J_ROOT_LOGLEVEL", "WARN"),
            ("KAFKA_SSL_KEYSTORE_FILENAME", "a.jks"),
        ])
        .unwrap();
        assert!(found.properties.is_empty(), "{found:?}");
        assert_eq!(found.without_meaning.len(), 5);
    }

    #[test]
    fn zookeeper_is_refused() {
        assert!(environment(&[("KAFKA_ENABLE_KRAFT", "no")]).unwrap_err().contains("KAFKA_ENABLE_KRAFT=no"));
    }
}
