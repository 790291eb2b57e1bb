// Kafka's own LocalTieredStorage reads a directory that somebody else has written: every segment with its records, one line each.
//
//   java -cp "KAFKA/libs/*:kafka-storage-test.jar:kafka-clients-test.jar" integration/clients/java/TieredStorage.java DIRECTORY

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.server.log.remote.storage.LocalTieredStorage;
import org.apache.kafka.server.log.remote.storage.LocalTieredStorageTraverser;
import org.apache.kafka.server.log.remote.storage.RemoteLogSegmentFileset;
import org.apache.kafka.server.log.remote.storage.RemoteLogSegmentFileset.RemoteLogSegmentFileType;

public class TieredStorage implements LocalTieredStorageTraverser {
    private final TreeSet<String> lines = new TreeSet<>();
    private String partition;

    @Override
    public void visitTopicIdPartition(TopicIdPartition partition) {
        this.partition = partition.topicPartition().toString();
    }

    @Override
    public void visitSegment(RemoteLogSegmentFileset fileset) {
        try {
            String base = fileset.getFile(RemoteLogSegmentFileType.SEGMENT).getName().split("-")[0];
            List<Record> records = fileset.getRecords();
            long last = records.get(records.size() - 1).offset();
            int bytes = records.stream().mapToInt(Record::valueSize).sum();
            lines.add(partition + " " + base + " offsets " + records.get(0).offset() + " to " + last + " bytes " + bytes);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    public static void main(String[] arguments) {
        LocalTieredStorage storage = new LocalTieredStorage();
        storage.configure(Map.of("dir", arguments[0], "broker.id", 1));
        TieredStorage seen = new TieredStorage();
        storage.traverse(seen);
        seen.lines.forEach(System.out::println);
    }
}
