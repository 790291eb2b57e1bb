// Writes the golden bytes of the group coordinator's records, as Apache Kafka's own classes make them.
//
//   java -cp "KAFKA/libs/*" integration/golden/CoordinatorRecords.java protocol/tests/golden
//
// One line a case: name, version, key and value in hexadecimal, - for a tombstone. The lines named `written` are what the helpers of
// the coordinator make, and so in the version that this Kafka writes. protocol/tests/coordinator_records.rs holds the same values.

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.coordinator.group.modern.MemberState;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember;
import org.apache.kafka.coordinator.group.modern.consumer.ResolvedRegularExpression;
import org.apache.kafka.server.common.ApiMessageAndVersion;

public class CoordinatorRecords {
    static final Uuid TOPIC_ID = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);
    static final StringBuilder text = new StringBuilder();

    public static void main(String[] arguments) throws IOException {
        text.append("# Apache Kafka " + AppInfoParser.getVersion() + ", integration/golden/CoordinatorRecords.java\n");
        OffsetCommitKey offsetKey = new OffsetCommitKey().setGroup("group").setTopic("topic").setPartition(258);
        for (short version = 0; version <= OffsetCommitValue.HIGHEST_SUPPORTED_VERSION; version++) {
            OffsetCommitValue value = new OffsetCommitValue()
                .setOffset(1L << 40).setMetadata("m\u00e9ta").setCommitTimestamp(1_700_000_000_000L);
            if (version >= 3) value.setLeaderEpoch(77);
            if (version == 1) value.setExpireTimestamp(1_700_000_000_999L);
            if (version >= 4) value.setTopicId(TOPIC_ID);
            write("offset", offsetKey, value, version);
        }
        GroupMetadataKey groupKey = new GroupMetadataKey().setGroup("group");
        for (short version = 0; version <= GroupMetadataValue.HIGHEST_SUPPORTED_VERSION; version++) {
            GroupMetadataValue.MemberMetadata member = new GroupMetadataValue.MemberMetadata()
                .setMemberId("member-1").setClientId("client").setClientHost("/127.0.0.1").setSessionTimeout(45000)
                .setSubscription(new byte[] {0, 1, 2}).setAssignment(new byte[200]);
            if (version >= 1) member.setRebalanceTimeout(300000);
            if (version >= 3) member.setGroupInstanceId("instance");
            GroupMetadataValue value = new GroupMetadataValue()
                .setProtocolType("consumer").setGeneration(3).setProtocol("range").setLeader("member-1").setMembers(List.of(member));
            if (version >= 2) value.setCurrentStateTimestamp(1_700_000_000_000L);
            write("group", groupKey, value, version);
            write("empty", groupKey, new GroupMetadataValue().setProtocol(null).setLeader(null), version);
        }
        written(GroupCoordinatorRecordHelpers.newOffsetCommitRecord("group", "topic", 258,
            new OffsetAndMetadata(1L << 40, OptionalInt.of(77), "m\u00e9ta", 1_700_000_000_000L, OptionalLong.empty(), Uuid.ZERO_UUID)));
        written(GroupCoordinatorRecordHelpers.newOffsetCommitRecord("group", "topic", 258,
            new OffsetAndMetadata(5, OptionalInt.empty(), "", 1_700_000_000_000L, OptionalLong.of(1_700_000_000_999L), Uuid.ZERO_UUID)));
        written(GroupCoordinatorRecordHelpers.newOffsetCommitTombstoneRecord("group", "topic", 258));
        written(GroupCoordinatorRecordHelpers.newGroupMetadataTombstoneRecord("group"));
        consumer();
        Files.writeString(Path.of(arguments[0]).resolve("coordinator.txt"), text, StandardCharsets.UTF_8);
    }

    // The records of the consumer protocol (KIP-848).
    static void consumer() {
        ConsumerGroupMember member = new ConsumerGroupMember.Builder("member")
            .setMemberEpoch(7).setPreviousMemberEpoch(6).setInstanceId("instance").setRackId("rack").setRebalanceTimeoutMs(300000)
            .setClientId("client").setClientHost("/127.0.0.1").setSubscribedTopicNames(List.of("b", "a"))
            .setSubscribedTopicRegex("a.*").setServerAssignorName("range").setState(MemberState.UNREVOKED_PARTITIONS)
            .setAssignedPartitions(Map.of(TOPIC_ID, new TreeMap<>(Map.of(0, 5, 1, 7))))
            .setPartitionsPendingRevocation(Map.of(TOPIC_ID, Map.of(2, 6)))
            .setClassicMemberMetadata(new ConsumerGroupMemberMetadataValue.ClassicMemberMetadata().setSessionTimeoutMs(45000)
                .setSupportedProtocols(List.of(new ConsumerGroupMemberMetadataValue.ClassicProtocol()
                    .setName("range").setMetadata(new byte[] {0, 1, 2}))))
            .build();
        written(GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("group", 7, -2));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupEpochRecord("group", 7, 0));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("group", member));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionRecord("group",
            new ConsumerGroupMember.Builder("member").setClientId("client").setClientHost("/127.0.0.1").build()));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentMetadataRecord("group", 7, 1_700_000_000_000L));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentRecord("group", "member",
            Map.of(TOPIC_ID, new TreeSet<>(Set.of(0, 1)))));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentRecord("group", member));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionRecord("group", "a.*",
            new ResolvedRegularExpression(Set.of("ab", "aa"), 1234, 1_700_000_000_000L)));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupEpochTombstoneRecord("group"));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupSubscriptionMetadataTombstoneRecord("group"));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupMemberSubscriptionTombstoneRecord("group", "member"));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentMetadataTombstoneRecord("group"));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupTargetAssignmentTombstoneRecord("group", "member"));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupCurrentAssignmentTombstoneRecord("group", "member"));
        written(GroupCoordinatorRecordHelpers.newConsumerGroupRegularExpressionTombstone("group", "a.*"));
        // What Kafka 4.0 wrote.
        line("written", CoordinatorRecord.record(new ConsumerGroupPartitionMetadataKey().setGroupId("group"), new ApiMessageAndVersion(
            new ConsumerGroupPartitionMetadataValue().setTopics(List.of(new ConsumerGroupPartitionMetadataValue.TopicMetadata()
                .setTopicId(TOPIC_ID).setTopicName("topic").setNumPartitions(2).setPartitionMetadata(List.of(
                    new ConsumerGroupPartitionMetadataValue.PartitionMetadata().setPartition(1).setRacks(List.of("rack")))))), (short) 0)));
        line("written", CoordinatorRecord.record(
            new ConsumerGroupCurrentMemberAssignmentKey().setGroupId("group").setMemberId("member"), new ApiMessageAndVersion(
            new ConsumerGroupCurrentMemberAssignmentValue().setMemberEpoch(3).setAssignedPartitions(List.of(
                new ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions().setTopicId(TOPIC_ID).setPartitions(List.of(4)))), (short) 0)));
    }

    static void written(CoordinatorRecord record) {
        line("written", record);
    }

    static void write(String name, ApiMessage key, ApiMessage value, short version) {
        line(name, CoordinatorRecord.record(key, new ApiMessageAndVersion(value, version)));
    }

    static void line(String name, CoordinatorRecord record) {
        GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
        HexFormat hex = HexFormat.of();
        byte[] value = serde.serializeValue(record);
        int version = record.value() == null ? -1 : record.value().version();
        text.append(name + " " + version + " " + hex.formatHex(serde.serializeKey(record)) + " " + (value == null ? "-" : hex.formatHex(value)) + "\n");
    }
}
