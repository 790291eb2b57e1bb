//! GreptimeDB's guide to Kafka as a remote write-ahead log, row by row, with the client that it uses.
//!
//! | row of the guide | test |
//! | --- | --- |
//! | 1 `image:` in its compose file | `packaging/check-images`, `check_greptimedb_compose` |
//! | 2 `KAFKA_KRAFT_CLUSTER_ID` | [`checklist::a_cluster_id_is_kept`] |
//! | 3 `KAFKA_ENABLE_KRAFT` | `settings.rs`, `the_environment_of_greptimedbs_guide_starts_a_node`, `a_mistake_ends_with_one_line_and_touches_nothing` |
//! | 4 `KAFKA_CFG_NODE_ID`, `KAFKA_BROKER_ID` | the same |
//! | 5 `KAFKA_CFG_PROCESS_ROLES` | the same |
//! | 6 `KAFKA_CFG_CONTROLLER_QUORUM_VOTERS` with ZooKeeper's port | the same; with that port in `check_greptimedb_compose` |
//! | 7, 8, 9 listeners | the same |
//! | 10 `ALLOW_PLAINTEXT_LISTENER` | the same |
//! | 11 newer files: directories, auto-creation, users | [`checklist::newer_environments_say_where_data_lies_and_who_creates_topics`], [`checklist::a_listener_with_passwords_is_refused`] |
//! | 12, 13 what the log says | `settings.rs`, `the_environment_of_greptimedbs_guide_starts_a_node` |
//! | 14 `replication_factor`, `max_batch_size` | [`checklist::two_replicas_are_refused_on_one_broker`], [`wal_simulator`] |
//! | 15, 16 its first start and its second | [`wal_simulator`] |
//! | 17 a cluster of one metasrv and three datanodes | [`checklist::a_cluster_of_datanodes_keeps_its_connections_and_its_topics_apart`] |
//! | 18, 19 a dozen INSERTs, a datanode that is killed | [`checklist::a_datanode_that_was_killed_reads_its_records_again`] |
//! | 20 the broker is killed | [`wal_simulator`] |
//! | 21 containers come and go | `packaging/check-images`, `check_greptimedb_guide` |
//! | its log with an old part in an object store | [`tiered`] |
//! | 22 a higher limit of a message | [`checklist::a_higher_limit_holds_for_the_broker_and_for_a_topic`] |

mod checklist;
mod database;
mod tiered;
mod wal_simulator;
