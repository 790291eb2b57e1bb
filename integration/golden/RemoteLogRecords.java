// Writes the golden bytes of the records of `__remote_log_metadata`, as Apache Kafka's own classes make them.
//
//   java -cp "KAFKA/libs/*" integration/golden/RemoteLogRecords.java protocol/tests/golden
//
// One line a case: name and value in hexadecimal; lines named `partition` hold a topic's id, a partition, and the partition of the
// topic where Kafka writes of it, of 50 and of 7. protocol/tests/remote_log_records.rs and broker/src/remote_log_metadata/topic.rs hold
// the same values.

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.server.log.remote.metadata.storage.RemoteLogMetadataTopicPartitioner;
import org.apache.kafka.server.log.remote.metadata.storage.serialization.RemoteLogMetadataSerde;
import org.apache.kafka.server.log.remote.storage.RemoteLogMetadata;
import org.apache.kafka.server.log.remote.storage.RemoteLogSegmentId;
import org.apache.kafka.server.log.remote.storage.RemoteLogSegmentMetadata;
import org.apache.kafka.server.log.remote.storage.RemoteLogSegmentMetadata.CustomMetadata;
import org.apache.kafka.server.log.remote.storage.RemoteLogSegmentMetadataUpdate;
import org.apache.kafka.server.log.remote.storage.RemoteLogSegmentState;
import org.apache.kafka.server.log.remote.storage.RemotePartitionDeleteMetadata;
import org.apache.kafka.server.log.remote.storage.RemotePartitionDeleteState;

public class RemoteLogRecords {
    static final StringBuilder text = new StringBuilder();
    static final RemoteLogMetadataSerde serde = new RemoteLogMetadataSerde();
    static final long TIME = 1_700_000_000_000L;

    public static void main(String[] arguments) throws IOException {
        text.append("# Apache Kafka " + AppInfoParser.getVersion() + ", integration/golden/RemoteLogRecords.java\n");
        TopicIdPartition partition =
            new TopicIdPartition(new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L), new TopicPartition("orders", 258));
        RemoteLogSegmentId id = new RemoteLogSegmentId(partition, new Uuid(0x1112131415161718L, 0x191a1b1c1d1e1f20L));
        Map<Integer, Long> epochs = new TreeMap<>(Map.of(0, 1L << 40, 3, (1L << 40) + 5));
        RemoteLogSegmentState started = RemoteLogSegmentState.COPY_SEGMENT_STARTED;
        write("started", new RemoteLogSegmentMetadata(
            id, 1L << 40, (1L << 40) + 9, TIME, 7, TIME + 1, 1 << 20, Optional.empty(), started, epochs));
        write("started", new RemoteLogSegmentMetadata(
            id, 0, 9, TIME, 7, TIME + 1, 1 << 20, Optional.of(new CustomMetadata(new byte[] {1, 2})), started, Map.of(0, 0L), true));
        for (RemoteLogSegmentState state : RemoteLogSegmentState.values()) {
            if (state != started) write("update", new RemoteLogSegmentMetadataUpdate(id, TIME, Optional.empty(), state, 7));
        }
        write("delete", new RemotePartitionDeleteMetadata(partition, RemotePartitionDeleteState.DELETE_PARTITION_MARKED, TIME, 7));
        for (Uuid topic : new Uuid[] {partition.topicId(), new Uuid(-1, 1), new Uuid(0x8000000000000000L, -7)}) {
            for (int index = 0; index < 4; index++) {
                TopicIdPartition of = new TopicIdPartition(topic, new TopicPartition("orders", index));
                int of50 = new RemoteLogMetadataTopicPartitioner(50).metadataPartition(of);
                int of7 = new RemoteLogMetadataTopicPartitioner(7).metadataPartition(of);
                text.append("partition " + topic + " " + index + " " + of50 + " " + of7 + "\n");
            }
        }
        Files.write(Path.of(arguments[0], "remote_log.txt"), text.toString().getBytes(StandardCharsets.UTF_8));
    }

    static void write(String name, RemoteLogMetadata metadata) {
        text.append(name + " " + HexFormat.of().formatHex(serde.serialize(metadata)) + "\n");
    }
}
