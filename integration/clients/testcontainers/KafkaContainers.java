import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.kafka.ConfluentKafkaContainer;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.utility.DockerImageName;

/** Testcontainers' Java module as its page shows it, with an image in the place of Apache's and of Confluent's. usage: KafkaContainers.java IMAGE */
public class KafkaContainers {
    /** A record goes in and comes out at the address that the module gives. */
    static void roundTrip(String bootstrap) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "group.id", "check", "auto.offset.reset", "earliest");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>("check", "a record")).get();
        }
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("check"));
            var records = consumer.poll(Duration.ofSeconds(60));
            while (records.isEmpty()) {
                records = consumer.poll(Duration.ofSeconds(60));
            }
            var record = records.iterator().next();
            if (record.offset() != 0 || !record.value().equals("a record")) {
                throw new AssertionError(record);
            }
        }
    }

    static <C extends GenericContainer<C>> void check(C container, java.util.function.Function<C, String> bootstrap) throws Exception {
        try (container) {
            container.withStartupTimeout(Duration.ofMinutes(5)).start();
            roundTrip(bootstrap.apply(container));
        }
    }

    public static void main(String[] arguments) throws Exception {
        var image = DockerImageName.parse(arguments[0]);
        check(new KafkaContainer(image.asCompatibleSubstituteFor("apache/kafka")), KafkaContainer::getBootstrapServers);
        check(new ConfluentKafkaContainer(image.asCompatibleSubstituteFor("confluentinc/cp-kafka")),
            ConfluentKafkaContainer::getBootstrapServers);
        System.out.println("OK testcontainers java checks=2");
    }
}
