import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

public class Make {
    static KafkaProducer<String, String> producer(String server, String id) {
        Properties p = new Properties();
        p.put("bootstrap.servers", server);
        p.put("linger.ms", "0");
        if (id != null) p.put("transactional.id", id);
        return new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
    }
    static void send(Producer<String, String> p, String topic, int partition, int from, int count) throws Exception {
        for (int i = from; i < from + count; i++)
            p.send(new ProducerRecord<>(topic, partition, 1700000000000L + i, "key" + i, "value" + i)).get();
    }
    public static void main(String[] args) throws Exception {
        String server = args[0];
        if (args[1].equals("first")) {
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", server))) {
                admin.createTopics(List.of(
                    new NewTopic("orders", 2, (short) 1).configs(Map.of("segment.bytes", "1048576")))).all().get();
            }
            try (KafkaProducer<String, String> idempotent = producer(server, null)) { send(idempotent, "orders", 0, 0, 8); send(idempotent, "orders", 1, 0, 3); }
            try (KafkaProducer<String, String> one = producer(server, "one"); KafkaProducer<String, String> two = producer(server, "two")) {
                one.initTransactions(); two.initTransactions();
                one.beginTransaction(); send(one, "orders", 0, 8, 2);
                two.beginTransaction(); send(two, "orders", 0, 10, 1);
                one.abortTransaction();
                one.beginTransaction(); send(one, "orders", 0, 11, 1); one.commitTransaction();
                two.abortTransaction();
                one.beginTransaction(); send(one, "orders", 0, 12, 1); one.commitTransaction();
            }
        } else {
            try (KafkaProducer<String, String> idempotent = producer(server, null)) { send(idempotent, "orders", 0, 100, 3); }
            KafkaProducer<String, String> open = producer(server, "open");
            open.initTransactions(); open.beginTransaction(); send(open, "orders", 0, 200, 2); open.flush();
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", server))) {
                admin.deleteRecords(Map.of(new TopicPartition("orders", 0), RecordsToDelete.beforeOffset(5))).all().get();
            }
            System.exit(0);
        }
    }
}
