//! Calls to other members of the quorum.

use std::future::Future;

use openraft::RaftNetworkV2;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::impls::BasicNode;
use openraft::network::{RPCOption, RaftNetworkFactory};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use thiserror::Error;

use super::snapshot::SnapshotFile;
use super::type_config::{Snapshot, TypeConfig, Vote, node_id};

/// There is one voter: whoever else is named cannot be reached.
#[derive(Clone, Copy, Debug, Error)]
#[error("node {0} is not a member of this quorum of one")]
struct NoPeer(i32);

/// The network of a quorum of one.
pub(super) struct Network;

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Peer {
        Peer(NoPeer(node_id(target)))
    }
}

/// A member that is not there.
pub(super) struct Peer(NoPeer);

impl Peer {
    fn unreachable<T>(&self) -> Result<T, RPCError<TypeConfig>> {
        Err(RPCError::Unreachable(Unreachable::new(&self.0)))
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.unreachable()
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.unreachable()
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: Snapshot,
        _cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        Err(StreamingError::Unreachable(Unreachable::new(&self.0)))
    }
}
