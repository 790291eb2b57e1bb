// Kafka Streams counts words, at least once: two threads, a repartition topic, a changelog, state in RocksDB. Ends when the words that
// others have put into topic `lines` are all counted in topic `counts`.
//
//   java -cp "KAFKA/libs/*" integration/clients/java/WordCount.java BOOTSTRAP STATE_FOLDER WORDS

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public class WordCount {
    static final Duration LIMIT = Duration.ofMinutes(2);

    static Properties settings(String bootstrap, String folder) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "word-count");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        settings.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 100);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        return settings;
    }

    static KafkaStreams topology(Properties settings) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream("lines", Consumed.with(Serdes.ByteArray(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long, org.apache.kafka.streams.state.KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]>>as("store")
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream().to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        return new KafkaStreams(builder.build(), settings);
    }

    public static void main(String[] arguments) throws Exception {
        long words = Long.parseLong(arguments[2]);
        Properties reader = new Properties();
        reader.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        Map<String, Long> counts = new TreeMap<>();
        long records = 0;
        try (KafkaStreams streams = topology(settings(arguments[0], arguments[1]));
             KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(reader, new StringDeserializer(), new LongDeserializer())) {
            Throwable[] failure = new Throwable[1];
            streams.setUncaughtExceptionHandler(error -> {
                failure[0] = error;
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            var partitions = consumer.partitionsFor("counts").stream()
                .map(info -> new org.apache.kafka.common.TopicPartition("counts", info.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long end = System.nanoTime() + LIMIT.toNanos();
            while (counts.values().stream().mapToLong(Long::longValue).sum() != words) {
                if (failure[0] != null) throw new AssertionError("Streams failed", failure[0]);
                if (System.nanoTime() > end) throw new AssertionError("not counted in time: " + counts + " " + streams.state());
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    Long before = counts.put(record.key(), record.value());
                    if (before != null && before >= record.value()) throw new AssertionError(record.key() + " went back to " + record);
                    records++;
                }
            }
            // The next run need not wait until these members' sessions are over.
            streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP).withTimeout(LIMIT));
        }
        counts.forEach((word, count) -> System.out.println(word + " " + count));
        System.out.println("OK streams " + AppInfoParser.getVersion() + " checks=" + records);
    }
}
