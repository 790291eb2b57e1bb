// Writes golden record batches as Apache Kafka's own classes make and judge them.
//
//   java -cp "KAFKA/libs/*" integration/golden/RecordBatches.java protocol/tests/golden
//
// batches.txt: batches as producers and coordinators build them; one line each: name, bytes in hexadecimal.
// produce.txt: what Kafka answers to a produced batch, by ProduceRequest.validateRecords and UnifiedLog.appendAsLeader on an
// empty log; one line each, fields separated by tabs: name, rules, bytes sent, then `ok` and the bytes stored, or `error`, the
// error's name, its message and the record errors.

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.*;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class RecordBatches {
    static final long NOW = 1_700_000_000_000L;
    static final byte[] KEY = bytes("key");
    static final byte[] VALUE = bytes("value");
    static final KafkaScheduler SCHEDULER = new KafkaScheduler(1);
    static final StringBuilder out = new StringBuilder();

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        SCHEDULER.startup();
        batches();
        save(directory.resolve("batches.txt"));
        framing();
        envelope();
        records();
        keysAndTimes();
        codecs();
        save(directory.resolve("produce.txt"));
        System.exit(0); // the log's own threads
    }

    static void save(Path file) throws IOException {
        Files.writeString(file, "# Apache Kafka " + AppInfoParser.getVersion() + ", integration/golden/RecordBatches.java\n" + out);
        out.setLength(0);
    }

    // Batches as they are built

    static void batches() {
        Header[] headers = {
            new RecordHeader("h", VALUE), new RecordHeader("h", null), new RecordHeader("", new byte[0]), new RecordHeader("é", KEY)};
        SimpleRecord[] records = {
            new SimpleRecord(NOW, KEY, VALUE), new SimpleRecord(NOW - 5, null, new byte[0], headers), new SimpleRecord(NOW + 7, new byte[0], null),
            new SimpleRecord(NOW, KEY, "a longer value that repeats, a longer value that repeats".repeat(40).getBytes())};
        for (CompressionType type : CompressionType.values()) {
            Compression codec = Compression.of(type).build();
            batch("plain " + type.name, MemoryRecords.withRecords(RecordBatch.CURRENT_MAGIC_VALUE, 1234567890123L, codec, TimestampType.CREATE_TIME, records));
            batch("idempotent " + type.name, MemoryRecords.withIdempotentRecords(7L, codec, 4000L, (short) 3, Integer.MAX_VALUE - 1, 9, records));
            batch("transactional " + type.name, MemoryRecords.withTransactionalRecords(0L, codec, 4000L, (short) 3, 0, 9, records));
        }
        ByteBuffer buffer = ByteBuffer.allocate(4096);
        MemoryRecordsBuilder appendTime = MemoryRecords.builder(buffer, RecordBatch.CURRENT_MAGIC_VALUE, Compression.NONE, TimestampType.LOG_APPEND_TIME, 5L, NOW);
        Arrays.stream(records).forEach(appendTime::append);
        batch("log-append-time", appendTime.build());
        batch("commit", MemoryRecords.withEndTransactionMarker(10L, NOW, 2, 4000L, (short) 3, new EndTransactionMarker(ControlRecordType.COMMIT, 6)));
        batch("abort", MemoryRecords.withEndTransactionMarker(10L, NOW, 2, 4000L, (short) 3, new EndTransactionMarker(ControlRecordType.ABORT, 6)));
        ByteBuffer empty = ByteBuffer.allocate(61);
        DefaultRecordBatch.writeEmptyHeader(empty, RecordBatch.CURRENT_MAGIC_VALUE, 4000L, (short) 3, 17, 20L, 24L, 2, TimestampType.CREATE_TIME, NOW, true, false);
        out.append("empty\t").append(hex(empty.array())).append('\n');
    }

    static void batch(String name, MemoryRecords records) {
        out.append(name).append('\t').append(hex(toArray(records.buffer()))).append('\n');
    }

    // Batches as they are judged

    static void framing() throws Exception {
        byte[] good = good(CompressionType.NONE);
        check("no bytes", "", new byte[0]);
        check("fewer bytes than a batch has before its magic", "", Arrays.copyOf(good, 16));
        check("a length of 13", "", putInt(good.clone(), 8, 13));
        check("a negative length", "", putInt(good.clone(), 8, -1));
        for (int magic : new int[] {-1, 0, 1, 3, 127}) check("magic " + magic, "", put(good.clone(), 16, magic));
        check("a batch longer than the bytes", "", Arrays.copyOf(good, good.length - 1));
        check("a batch shorter than a header", "", putInt(Arrays.copyOf(good, 60), 8, 48));
        check("a length of 40", "", putInt(Arrays.copyOf(good, 52), 8, 40));
        check("the least length that all formats share", "", putInt(Arrays.copyOf(good, 26), 8, 14));
        check("bytes after the batch, shorter than a batch before its magic", "", join(good, new byte[16]));
        check("bytes after the batch that hold no length", "", join(good, new byte[17]));
        check("an unfinished batch after the batch", "", join(good, Arrays.copyOf(good, good.length - 1)));
        check("two batches", "", join(good, good));
        check("two batches, the second of magic 1", "", join(good, put(good.clone(), 16, 1)));
        check("two batches, the second of magic 9", "", join(good, put(good.clone(), 16, 9)));
        byte[] zstd = good(CompressionType.ZSTD);
        check("zstd before version 7", "version=6", zstd);
        check("zstd before version 7, damaged", "version=6", put(zstd.clone(), 70, 99));
        check("zstd since version 7", "version=7", zstd);
        check("two batches, the first of zstd before version 7", "version=6", join(zstd, good));
    }

    static void envelope() throws Exception {
        for (CompressionType type : new CompressionType[] {CompressionType.NONE, CompressionType.GZIP}) {
            String name = " (" + type.name + ")";
            check("a good batch" + name, "", good(type));
            check("a base offset" + name, "", putLong(good(type), 0, 5));
            check("a negative base offset" + name, "", putLong(good(type), 0, -1));
            check("a base offset, too large, damaged" + name, "max=70", put(putLong(good(type), 0, 5), 62, 99));
            check("too large and damaged" + name, "max=70", put(good(type), 62, 99));
            check("as large as allowed" + name, "max=" + good(type).length, good(type));
            check("larger than allowed by one" + name, "max=" + (good(type).length - 1), good(type));
            check("larger than a segment" + name, "segment=" + (good(type).length - 1), good(type));
            check("as large as a segment" + name, "segment=" + good(type).length, good(type));
            check("a leader epoch" + name, "", putInt(good(type), 12, 77));
            check("damaged records" + name, "", put(good(type), 64, 99));
            check("damaged header" + name, "", put(good(type), 40, 99));
            for (int codec = 5; codec <= 7; codec++) check("codec " + codec + name, "", signed(put(good(type), 22, codec)));
            check("last offset delta -1" + name, "", signed(putInt(good(type), 23, -1)));
            check("last offset delta 0 of two" + name, "", signed(putInt(good(type), 23, 0)));
            check("last offset delta of the maximum" + name, "", signed(putInt(good(type), 23, Integer.MAX_VALUE)));
            check("count 0" + name, "", signed(putInt(good(type), 57, 0)));
            check("count 0, last offset delta -1" + name, "", signed(putInt(putInt(good(type), 57, 0), 23, -1)));
            check("count -1" + name, "", signed(putInt(good(type), 57, -1)));
            check("count 3 of two" + name, "", signed(putInt(good(type), 57, 3)));
            check("count 3 of two, last offset delta 2" + name, "", signed(putInt(putInt(good(type), 57, 3), 23, 2)));
            check("count 1 of two, last offset delta 0" + name, "", signed(putInt(putInt(good(type), 57, 1), 23, 0)));
            check("count of the maximum" + name, "", signed(putInt(putInt(good(type), 57, Integer.MAX_VALUE), 23, Integer.MAX_VALUE - 1)));
            check("control" + name, "", signed(or(good(type), 22, 0x20)));
            check("control, count 0" + name, "", signed(or(putInt(good(type), 57, 0), 22, 0x20)));
            check("transactional" + name, "", MemoryRecords.withTransactionalRecords(codec(type), 5L, (short) 0, 0, two()));
            check("producer without sequence" + name, "", signed(putLong(good(type), 43, 5)));
            check("producer with sequence -2" + name, "", signed(putInt(putLong(good(type), 43, 5), 53, -2)));
            check("sequence without producer" + name, "", signed(putInt(good(type), 53, 5)));
            check("idempotent" + name, "", MemoryRecords.withIdempotentRecords(codec(type), 5L, (short) 0, 0, two()));
            check("unused attributes" + name, "", signed(put(or(good(type), 22, 0x80), 21, 0x7f)));
            check("unused attributes, wrong maximum timestamp" + name, "", signed(putLong(put(or(good(type), 22, 0x80), 21, 0x7f), 35, 1)));
            check("delete horizon" + name, "", signed(putLong(or(good(type), 22, 0x40), 35, 1)));
        }
    }

    interface Writer {
        void write(DataOutputStream out) throws IOException;
    }

    // Each body goes plain, compressed and kept, compressed and recompressed: three readers of records in Kafka.
    static void records() throws Exception {
        body("a record of size 0", 1, out -> varint(0, out));
        body("a record of negative size", 1, out -> varint(-1, out));
        body("a record larger than the batch", 1, out -> { varint(100, out); out.write(new byte[20]); });
        body("a record of the largest size", 1, out -> varint(Integer.MAX_VALUE, out));
        body("nothing", 1, out -> { });
        body("one byte after the records", 1, out -> { record(out, 0, 0, KEY, VALUE); out.write(0); });
        body("one record more than counted", 1, out -> { record(out, 0, 0, KEY, VALUE); record(out, 0, 1, KEY, VALUE); });
        body("one record less than counted", 3, out -> { record(out, 0, 0, KEY, VALUE); record(out, 0, 1, KEY, VALUE); });
        body("a record size one too small", 1, out -> sized(out, -1, body -> content(body, 0, 0, KEY, VALUE)));
        body("a record size one too large", 1, out -> sized(out, 1, body -> content(body, 0, 0, KEY, VALUE)));
        body("a record size one too large, a byte there", 1, out -> { sized(out, 1, body -> content(body, 0, 0, KEY, VALUE)); out.write(0); });
        body("record attributes", 1, out -> sized(out, 0, body -> { body.write(0xff); fields(body, 0, 0, KEY, VALUE); varint(0, body); }));
        for (int count : new int[] {-1, 1, 3, 1000, Integer.MAX_VALUE, Integer.MIN_VALUE})
            body(count + " headers that are not there", 1, out -> sized(out, 0, body -> { body.write(0); fields(body, 0, 0, KEY, VALUE); varint(count, body); }));
        body("a header key of size -1", 1, out -> header(out, body -> { varint(-1, body); varint(-1, body); }));
        body("a header key beyond the record", 1, out -> header(out, body -> { varint(50, body); body.write(1); varint(-1, body); }));
        body("a header value beyond the record", 1, out -> header(out, body -> { varint(1, body); body.write('k'); varint(50, body); }));
        body("a header value of size -2", 1, out -> header(out, body -> { varint(1, body); body.write('k'); varint(-2, body); }));
        body("a header key that is no text", 1, out -> header(out, body -> { varint(2, body); body.write(0xff); body.write(0xfe); varint(-1, body); }));
        body("a key of size -2", 1, out -> sized(out, 0, body -> { body.write(0); varint(0, body); varint(0, body); varint(-2, body); varint(-1, body); varint(0, body); }));
        body("a value of size -2", 1, out -> sized(out, 0, body -> { body.write(0); varint(0, body); varint(0, body); varint(-1, body); varint(-2, body); varint(0, body); }));
        body("a key beyond the record", 1, out -> sized(out, 0, body -> { body.write(0); varint(0, body); varint(0, body); varint(60, body); body.write(KEY); }));
        body("a value beyond the record", 1, out -> sized(out, 0, body -> { body.write(0); varint(0, body); varint(0, body); varint(-1, body); varint(60, body); body.write(KEY); }));
        body("a key of the largest size", 1, out -> sized(out, 0, body -> { body.write(0); varint(0, body); varint(0, body); varint(Integer.MAX_VALUE, body); body.write(KEY); }));
        body("a size of six bytes", 1, out -> { out.write(new byte[] {-1, -1, -1, -1, -1, 1}); out.write(new byte[20]); });
        body("a size of five bytes, too large", 1, out -> { out.write(new byte[] {-1, -1, -1, -1, 127}); out.write(new byte[20]); });
        body("a size longer than it need be", 1, out -> { out.write(new byte[] {(byte) 0x8c, (byte) 0x80, 0}); out.write(new byte[] {0, 0, 0, 1, 1, 0}); });
        body("a timestamp delta of eleven bytes", 1, out -> sized(out, 0, body -> {
            body.write(0); for (int i = 0; i < 10; i++) body.write(0xff); body.write(1); varint(0, body); varint(-1, body); varint(-1, body); varint(0, body); }));
        body("a timestamp delta of ten bytes", 1, "before=9223372036854775807 after=9223372036854775807", out -> sized(out, 0, body -> {
            body.write(0); for (int i = 0; i < 9; i++) body.write(0xff); body.write(127); varint(0, body); varint(-1, body); varint(-1, body); varint(0, body); }));
        body("an offset delta of six bytes", 1, out -> sized(out, 0, body -> {
            body.write(0); varint(0, body); for (int i = 0; i < 5; i++) body.write(0xff); body.write(1); varint(-1, body); varint(-1, body); varint(0, body); }));
        body("no value, no header count", 1, out -> sized(out, 0, body -> { body.write(0); varint(0, body); varint(0, body); varint(-1, body); }));
        body("attributes only", 1, out -> sized(out, 0, body -> body.write(0)));
        body("offset deltas 1, 0", 2, out -> { record(out, 0, 1, KEY, VALUE); record(out, 0, 0, KEY, VALUE); });
        body("offset deltas 0, 0", 2, out -> { record(out, 0, 0, KEY, VALUE); record(out, 0, 0, KEY, VALUE); });
        body("offset deltas 5, -7", 2, out -> { record(out, 0, 5, KEY, VALUE); record(out, 0, -7, KEY, VALUE); });
    }

    static void keysAndTimes() throws Exception {
        for (CompressionType type : new CompressionType[] {CompressionType.NONE, CompressionType.LZ4}) {
            String name = " (" + type.name + ")";
            SimpleRecord keyless = new SimpleRecord(NOW, null, VALUE);
            SimpleRecord keyed = new SimpleRecord(NOW, KEY, VALUE);
            SimpleRecord old = new SimpleRecord(NOW - 1001, KEY, VALUE);
            SimpleRecord late = new SimpleRecord(NOW + 2001, KEY, VALUE);
            SimpleRecord timeless = new SimpleRecord(-1, KEY, VALUE);
            String window = "before=1000 after=2000";
            check("compacted, an empty key" + name, "compact=1", batch(type, new SimpleRecord(NOW, new byte[0], VALUE)));
            check("compacted, one of three without key" + name, "compact=1", batch(type, keyed, keyless, keyed));
            check("compacted, four of five without key" + name, "compact=1", batch(type, keyless, keyless, keyed, keyless, keyless));
            check("timestamps at the limits" + name, window, batch(type, new SimpleRecord(NOW - 1000, VALUE), new SimpleRecord(NOW + 2000, VALUE)));
            check("a timestamp too old" + name, window, batch(type, keyed, old));
            check("timestamps too late" + name, window, batch(type, late, late, keyed, late, late));
            check("no timestamp" + name, window, batch(type, timeless));
            check("no timestamp and a good one" + name, window, batch(type, timeless, keyed));
            check("a good timestamp and none" + name, window, batch(type, keyed, timeless));
            check("a timestamp of -2" + name, window, batch(type, keyed, new SimpleRecord(0, KEY, VALUE)));
            check("a timestamp of zero, no lower limit" + name, "", batch(type, new SimpleRecord(0, KEY, VALUE)));
            check("a timestamp of zero, limits of the maximum" + name, "before=9223372036854775807 after=9223372036854775807", batch(type, new SimpleRecord(0, KEY, VALUE)));
            check("later than the default limit" + name, "", batch(type, new SimpleRecord(NOW + 3_600_001, KEY, VALUE)));
            check("no key and a timestamp too old" + name, window + " compact=1", batch(type, keyless, old));
            check("no key in a record too old" + name, window + " compact=1", batch(type, new SimpleRecord(NOW - 1001, null, VALUE)));
            check("a wrong maximum timestamp" + name, "", signed(putLong(batch(type, keyed, keyed), 35, 3)));
            check("no maximum timestamp" + name, "", signed(putLong(batch(type, keyed, keyed), 35, -1)));
            check("log append time" + name, "type=LogAppendTime", batch(type, old, keyless, timeless));
            check("log append time, a wrong maximum timestamp" + name, "type=LogAppendTime", signed(putLong(batch(type, old), 35, 3)));
            check("log append time, set by the producer" + name, "type=LogAppendTime", signed(or(batch(type, keyed, keyed), 22, 8)));
            check("create time, log append time set by the producer" + name, window, signed(or(batch(type, keyed, old), 22, 8)));
            check("create time, log append time set by the producer, no maximum" + name, window, signed(putLong(or(batch(type, keyed, old), 22, 8), 35, -1)));
            check("create time, log append time set by the producer, too old a maximum" + name, window, signed(putLong(or(batch(type, keyed), 22, 8), 35, 7)));
            check("a base timestamp near the maximum" + name, "before=9223372036854775807 after=9223372036854775807",
                raw(type, 0, 2, Long.MAX_VALUE - 1, 5, out -> { record(out, 10, 0, KEY, VALUE); record(out, -4, 1, KEY, VALUE); }));
            check("a base timestamp at the minimum" + name, window, raw(type, 0, 1, Long.MIN_VALUE, 5, out -> record(out, 0, 0, KEY, VALUE)));
        }
    }

    static void codecs() throws Exception {
        for (CompressionType source : CompressionType.values()) {
            for (CompressionType target : CompressionType.values())
                check(source.name + " to " + target.name, "codec=" + (target == CompressionType.NONE ? "uncompressed" : target.name), good(source));
            if (source == CompressionType.NONE) continue;
            String name = " (" + source.name + ")";
            check("nothing compressed" + name, "", raw(source, 0, 1, NOW, NOW, out -> { }));
            byte[] good = good(source);
            check("a compressed stream cut short" + name, "", signed(putInt(Arrays.copyOf(good, good.length - 9), 8, good.length - 21)));
            check("a compressed stream with its last byte gone" + name, "", signed(putInt(Arrays.copyOf(good, good.length - 1), 8, good.length - 13)));
            check("no compressed stream" + name, "", signed(putInt(Arrays.copyOf(good, 61), 8, 49)));
            byte[] noise = good.clone();
            Arrays.fill(noise, 61, noise.length, (byte) 0x5a);
            check("noise" + name, "", signed(noise));
            byte[] longer = join(good, new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9});
            check("noise after the compressed stream" + name, "", signed(putInt(longer, 8, longer.length - 12)));
        }
        String text = "a value that repeats ".repeat(50);
        check("larger than allowed once rebuilt", "codec=uncompressed max=300", batch(CompressionType.GZIP, new SimpleRecord(NOW, KEY, bytes(text))));
        check("log append time, rebuilt", "codec=uncompressed type=LogAppendTime", MemoryRecords.withTransactionalRecords(codec(CompressionType.GZIP), 5L, (short) 0, 0, two()));
        check("log append time, compressed", "codec=gzip type=LogAppendTime", MemoryRecords.withIdempotentRecords(codec(CompressionType.NONE), 5L, (short) 0, 0, two()));
        check("descending timestamps, rebuilt", "codec=uncompressed", batch(CompressionType.GZIP, new SimpleRecord(NOW, KEY, VALUE), new SimpleRecord(NOW - 100, KEY, VALUE)));
    }

    static void body(String name, int count, Writer writer) throws Exception {
        body(name, count, "", writer);
    }

    static void body(String name, int count, String rules, Writer writer) throws Exception {
        check(name, rules, raw(CompressionType.NONE, 0, count, NOW, NOW, writer));
        check(name + " (gzip)", rules, raw(CompressionType.GZIP, 0, count, NOW, NOW, writer));
        check(name + " (gzip, to zstd)", (rules + " codec=zstd").trim(), raw(CompressionType.GZIP, 0, count, NOW, NOW, writer));
    }

    static void check(String name, String rules, MemoryRecords records) throws Exception {
        check(name, rules, toArray(records.buffer()));
    }

    static void check(String name, String rules, byte[] sent) throws Exception {
        out.append(name).append('\t').append(rules).append('\t').append(hex(sent)).append('\t');
        Map<String, String> map = new TreeMap<>();
        for (String rule : rules.split(" ")) if (!rule.isEmpty()) map.put(rule.split("=")[0], rule.split("=")[1]);
        try {
            ProduceRequest.validateRecords(Short.parseShort(map.getOrDefault("version", "12")), records(sent));
            String stored = hex(append(map, sent));
            out.append("ok\t").append(stored);
        } catch (RecordValidationException e) {
            error(e.invalidException());
            out.append('\t').append(e.recordErrors().stream().map(r -> r.batchIndex + ":" + r.message).collect(Collectors.joining("|")));
        } catch (Throwable e) {
            error(e);
            out.append('\t');
        }
        out.append('\n');
    }

    static void error(Throwable e) {
        out.append("error\t").append(Errors.forException(e).name()).append('\t').append(String.valueOf(e.getMessage()).replaceAll("\\s+", " "));
    }

    static byte[] append(Map<String, String> rules, byte[] sent) throws Exception {
        Properties config = new Properties();
        config.put("max.message.bytes", rules.getOrDefault("max", "1048588"));
        config.put("internal.segment.bytes", rules.getOrDefault("segment", "1073741824"));
        config.put("message.timestamp.type", rules.getOrDefault("type", "CreateTime"));
        if (rules.containsKey("before")) config.put("message.timestamp.before.max.ms", rules.get("before"));
        if (rules.containsKey("after")) config.put("message.timestamp.after.max.ms", rules.get("after"));
        config.put("cleanup.policy", rules.containsKey("compact") ? "compact" : "delete");
        config.put("compression.type", rules.getOrDefault("codec", "producer"));
        Path parent = Files.createTempDirectory("golden");
        File folder = parent.resolve("orders-0").toFile();
        folder.mkdir();
        UnifiedLog log = UnifiedLog.create(folder, new LogConfig(config), 0, 0, SCHEDULER, new BrokerTopicStats(), TIME, 60_000,
            new ProducerStateManagerConfig(86_400_000, false), 600_000, new LogDirFailureChannel(1), true, Optional.empty());
        try {
            log.appendAsLeader(records(sent), 0);
            log.flush(true);
            return Files.readAllBytes(folder.toPath().resolve("00000000000000000000.log"));
        } finally {
            log.close();
            try (var files = Files.list(folder.toPath())) {
                for (Path file : files.toList()) Files.deleteIfExists(file);
            }
            folder.delete();
            parent.toFile().delete();
        }
    }

    static final Time TIME = new Time() {
        public long milliseconds() { return NOW; }
        public long nanoseconds() { return NOW * 1_000_000; }
        public void sleep(long ms) { }
        public void waitObject(Object object, Supplier<Boolean> condition, long deadline) { }
    };

    // Bytes

    static SimpleRecord[] two() {
        return new SimpleRecord[] {new SimpleRecord(NOW, KEY, VALUE), new SimpleRecord(NOW + 1, KEY, VALUE)};
    }

    static byte[] good(CompressionType type) {
        return batch(type, two());
    }

    static Compression codec(CompressionType type) {
        return Compression.of(type).build();
    }

    static byte[] batch(CompressionType type, SimpleRecord... records) {
        return toArray(MemoryRecords.withRecords(codec(type), records).buffer());
    }

    static byte[] raw(CompressionType type, int attributes, int count, long baseTimestamp, long maxTimestamp, Writer writer) throws IOException {
        ByteArrayOutputStream plain = new ByteArrayOutputStream();
        writer.write(new DataOutputStream(plain));
        ByteBufferOutputStream packed = new ByteBufferOutputStream(4096);
        try (OutputStream stream = codec(type).wrapForOutput(packed, RecordBatch.CURRENT_MAGIC_VALUE)) {
            stream.write(plain.toByteArray());
        }
        packed.buffer().flip();
        byte[] records = toArray(packed.buffer());
        ByteBuffer header = ByteBuffer.allocate(61 + records.length);
        header.putLong(0).putInt(49 + records.length).putInt(-1).put((byte) 2).putInt(0).putShort((short) (attributes | type.id)).putInt(count - 1)
            .putLong(baseTimestamp).putLong(maxTimestamp).putLong(-1).putShort((short) -1).putInt(-1).putInt(count).put(records);
        return signed(header.array());
    }

    static void header(DataOutputStream out, Writer fields) throws IOException {
        sized(out, 0, body -> { body.write(0); fields(body, 0, 0, KEY, VALUE); varint(1, body); fields.write(body); });
    }

    static void record(DataOutputStream out, long timestampDelta, int offsetDelta, byte[] key, byte[] value) throws IOException {
        sized(out, 0, body -> content(body, timestampDelta, offsetDelta, key, value));
    }

    static void content(DataOutputStream out, long timestampDelta, int offsetDelta, byte[] key, byte[] value) throws IOException {
        out.write(0);
        fields(out, timestampDelta, offsetDelta, key, value);
        varint(0, out);
    }

    static void fields(DataOutputStream out, long timestampDelta, int offsetDelta, byte[] key, byte[] value) throws IOException {
        ByteUtils.writeVarlong(timestampDelta, out);
        varint(offsetDelta, out);
        varint(key.length, out);
        out.write(key);
        varint(value.length, out);
        out.write(value);
    }

    static void sized(DataOutputStream out, int lie, Writer writer) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        writer.write(new DataOutputStream(body));
        varint(body.size() + lie, out);
        out.write(body.toByteArray());
    }

    static void varint(int value, DataOutputStream out) throws IOException {
        ByteUtils.writeVarint(value, out);
    }

    static byte[] signed(byte[] batch) {
        return putInt(batch, 17, (int) Crc32C.compute(batch, 21, batch.length - 21));
    }

    static byte[] put(byte[] bytes, int place, int value) { bytes[place] = (byte) value; return bytes; }
    static byte[] or(byte[] bytes, int place, int value) { bytes[place] |= (byte) value; return bytes; }
    static byte[] putInt(byte[] bytes, int place, int value) { ByteBuffer.wrap(bytes).putInt(place, value); return bytes; }
    static byte[] putLong(byte[] bytes, int place, long value) { ByteBuffer.wrap(bytes).putLong(place, value); return bytes; }
    static byte[] join(byte[] a, byte[] b) { return ByteBuffer.allocate(a.length + b.length).put(a).put(b).array(); }
    static byte[] bytes(String text) { return text.getBytes(StandardCharsets.UTF_8); }
    static String hex(byte[] bytes) { return HexFormat.of().formatHex(bytes); }
    static MemoryRecords records(byte[] bytes) { return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes.clone())); }

    static byte[] toArray(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }
}
