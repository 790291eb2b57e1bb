//! The files and folders that hold record batches, byte for byte as Apache Kafka lays them out.

pub mod checkpoint;
pub mod file_handles;
pub mod file_system;
pub mod index;
pub mod leader_epoch;
pub mod log_dir;
pub mod meta_properties;
pub mod partition_metadata;
pub mod producer_state;
mod slot_cache;
