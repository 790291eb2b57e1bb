// Writes the golden bytes of every KRaft metadata record at every version, as Apache Kafka's own classes make them.
//
//   java -cp "KAFKA/libs/*" integration/golden/MetadataRecords.java protocol/tests/golden/metadata
//
// One file a record type; one line a case: version, case, value in hexadecimal. protocol/tests/metadata_records.rs holds the same
// values and compares both ways.

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.function.IntFunction;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.*;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.metadata.MetadataRecordSerde;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public class MetadataRecords {
    static final Uuid A = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);
    static final Uuid B = new Uuid(0xf1f2f3f4f5f6f7f8L, 0xf9fafbfcfdfeff00L);

    static Path directory;

    public static void main(String[] arguments) throws IOException {
        directory = Path.of(arguments[0]);
        brokers();
        topics();
        others();
        security();
    }

    static void brokers() throws IOException {
        write("RegisterBrokerRecord", version -> {
            RegisterBrokerRecord record = new RegisterBrokerRecord()
                .setBrokerId(3).setIncarnationId(A).setBrokerEpoch(1234567890123L).setRack("rack-é").setFenced(false);
            record.endPoints().add(new RegisterBrokerRecord.BrokerEndpoint()
                .setName("PLAINTEXT").setHost("broker.example").setPort(65535).setSecurityProtocol((short) 0));
            record.endPoints().add(new RegisterBrokerRecord.BrokerEndpoint()
                .setName("SSL").setHost("::1").setPort(9093).setSecurityProtocol((short) 1));
            record.features().add(new RegisterBrokerRecord.BrokerFeature()
                .setName("metadata.version").setMinSupportedVersion((short) 7).setMaxSupportedVersion((short) 30));
            if (version >= 1) record.setInControlledShutdown(true);
            if (version >= 2) record.setIsMigratingZkBroker(true);
            if (version >= 3) record.setLogDirs(List.of(A, B));
            if (version >= 4) record.setCordonedLogDirs(List.of(B));
            return record;
        }, version -> new RegisterBrokerRecord().setRack(null));
        write("UnregisterBrokerRecord", version -> new UnregisterBrokerRecord().setBrokerId(-1).setBrokerEpoch(Long.MIN_VALUE),
            version -> new UnregisterBrokerRecord());
        write("BrokerRegistrationChangeRecord", version -> {
            BrokerRegistrationChangeRecord record = new BrokerRegistrationChangeRecord()
                .setBrokerId(3).setBrokerEpoch(77).setFenced((byte) -1);
            if (version >= 1) record.setInControlledShutdown((byte) 1);
            if (version >= 2) record.setLogDirs(List.of(B));
            if (version >= 3) record.setCordonedLogDirs(List.of());
            return record;
        }, version -> new BrokerRegistrationChangeRecord());
        write("FenceBrokerRecord", version -> new FenceBrokerRecord().setId(7).setEpoch(8), version -> new FenceBrokerRecord());
        write("UnfenceBrokerRecord", version -> new UnfenceBrokerRecord().setId(7).setEpoch(8), version -> new UnfenceBrokerRecord());
        write("RegisterControllerRecord", version -> {
            RegisterControllerRecord record = new RegisterControllerRecord()
                .setControllerId(1).setIncarnationId(B).setZkMigrationReady(true);
            record.endPoints().add(new RegisterControllerRecord.ControllerEndpoint()
                .setName("CONTROLLER").setHost("localhost").setPort(9093).setSecurityProtocol((short) 2));
            record.features().add(new RegisterControllerRecord.ControllerFeature()
                .setName("kraft.version").setMinSupportedVersion((short) 0).setMaxSupportedVersion((short) 1));
            return record;
        }, version -> new RegisterControllerRecord());
    }

    static void topics() throws IOException {
        write("TopicRecord", version -> new TopicRecord().setName("orders.v1").setTopicId(A), version -> new TopicRecord());
        write("RemoveTopicRecord", version -> new RemoveTopicRecord().setTopicId(B), version -> new RemoveTopicRecord());
        write("PartitionRecord", version -> {
            PartitionRecord record = new PartitionRecord()
                .setPartitionId(300).setTopicId(A).setReplicas(List.of(1, 2, 3)).setIsr(List.of(1, 2))
                .setRemovingReplicas(List.of(3)).setAddingReplicas(List.of(2, 1)).setLeader(1).setLeaderRecoveryState((byte) 1)
                .setLeaderEpoch(128).setPartitionEpoch(1 << 30);
            if (version >= 1) record.setDirectories(List.of(A, B, A));
            if (version >= 2) record.setEligibleLeaderReplicas(List.of(3)).setLastKnownElr(List.of());
            return record;
        }, version -> new PartitionRecord());
        write("PartitionChangeRecord", version -> {
            PartitionChangeRecord record = new PartitionChangeRecord()
                .setPartitionId(0).setTopicId(B).setIsr(List.of(2, 1)).setLeader(-1).setReplicas(List.of(2, 1, 3))
                .setRemovingReplicas(List.of()).setAddingReplicas(List.of(3)).setLeaderRecoveryState((byte) 0);
            if (version >= 1) record.setDirectories(List.of(B, B, A));
            if (version >= 2) record.setEligibleLeaderReplicas(List.of(1, 3)).setLastKnownElr(List.of(2));
            return record;
        }, version -> new PartitionChangeRecord());
        write("ClearElrRecord", version -> new ClearElrRecord().setTopicName("orders"), version -> new ClearElrRecord());
        write("ConfigRecord", version -> new ConfigRecord()
                .setResourceType((byte) 2).setResourceName("orders").setName("retention.ms").setValue("x".repeat(200)),
            version -> new ConfigRecord().setValue(null));
    }

    static void others() throws IOException {
        write("FeatureLevelRecord", version -> new FeatureLevelRecord().setName("metadata.version").setFeatureLevel((short) 29),
            version -> new FeatureLevelRecord());
        write("ProducerIdsRecord", version -> new ProducerIdsRecord().setBrokerId(1).setBrokerEpoch(9).setNextProducerId(2000),
            version -> new ProducerIdsRecord());
        write("ClientQuotaRecord", version -> new ClientQuotaRecord().setEntity(List.of(
                    new ClientQuotaRecord.EntityData().setEntityType("user").setEntityName("alice"),
                    new ClientQuotaRecord.EntityData().setEntityType("client-id").setEntityName(null)))
                .setKey("producer_byte_rate").setValue(1048576.5).setRemove(true),
            version -> new ClientQuotaRecord());
        write("NoOpRecord", version -> new NoOpRecord(), version -> new NoOpRecord());
        write("ZkMigrationStateRecord", version -> new ZkMigrationStateRecord().setZkMigrationState((byte) 3),
            version -> new ZkMigrationStateRecord());
        write("BeginTransactionRecord", version -> new BeginTransactionRecord().setName("Bootstrap records"),
            version -> new BeginTransactionRecord());
        write("EndTransactionRecord", version -> new EndTransactionRecord(), version -> new EndTransactionRecord());
        write("AbortTransactionRecord", version -> new AbortTransactionRecord().setReason(""), version -> new AbortTransactionRecord());
    }

    static void security() throws IOException {
        write("AccessControlEntryRecord", version -> new AccessControlEntryRecord()
                .setId(A).setResourceType((byte) 2).setResourceName("orders").setPatternType((byte) 4).setPrincipal("User:alice")
                .setHost("*").setOperation((byte) 3).setPermissionType((byte) 2),
            version -> new AccessControlEntryRecord());
        write("RemoveAccessControlEntryRecord", version -> new RemoveAccessControlEntryRecord().setId(B),
            version -> new RemoveAccessControlEntryRecord());
        write("UserScramCredentialRecord", version -> new UserScramCredentialRecord()
                .setName("alice").setMechanism((byte) 1).setSalt(new byte[] {1, 2, 3}).setStoredKey(new byte[] {-1})
                .setServerKey(new byte[130]).setIterations(4096),
            version -> new UserScramCredentialRecord());
        write("RemoveUserScramCredentialRecord", version -> new RemoveUserScramCredentialRecord().setName("alice").setMechanism((byte) 2),
            version -> new RemoveUserScramCredentialRecord());
        write("DelegationTokenRecord", version -> new DelegationTokenRecord()
                .setOwner("User:alice").setRequester("User:bob").setRenewers(List.of("User:carol", "User:dave"))
                .setIssueTimestamp(1).setMaxTimestamp(2).setExpirationTimestamp(3).setTokenId("token"),
            version -> new DelegationTokenRecord());
        write("RemoveDelegationTokenRecord", version -> new RemoveDelegationTokenRecord().setTokenId("token"),
            version -> new RemoveDelegationTokenRecord());
    }

    static void write(String name, IntFunction<ApiMessage> full, IntFunction<ApiMessage> empty) throws IOException {
        StringBuilder text = new StringBuilder("# Apache Kafka " + AppInfoParser.getVersion() + ", integration/golden/MetadataRecords.java\n");
        ApiMessage any = empty.apply(0);
        for (int version = any.lowestSupportedVersion(); version <= any.highestSupportedVersion(); version++) {
            text.append(version).append(" full ").append(hex(full.apply(version), version)).append('\n');
            text.append(version).append(" empty ").append(hex(empty.apply(version), version)).append('\n');
        }
        Files.writeString(directory.resolve(name + ".txt"), text);
    }

    static String hex(ApiMessage message, int version) {
        ApiMessageAndVersion record = new ApiMessageAndVersion(message, (short) version);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(MetadataRecordSerde.INSTANCE.recordSize(record, cache));
        MetadataRecordSerde.INSTANCE.write(record, cache, new ByteBufferAccessor(buffer));
        return HexFormat.of().formatHex(buffer.array());
    }
}
