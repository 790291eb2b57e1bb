// Kafka's own consumer with `group.protocol=consumer` (KIP-848), and a group that is rolled from the classic protocol to it and back.
// Two commands, so that a broker may be killed in between:
//
//   java -cp "KAFKA/libs/*" integration/clients/java/ConsumerGroups.java BOOTSTRAP TOPIC PARTITIONS COUNT members|roll|regex
//
// TOPIC has PARTITIONS partitions, and COUNT records that the command's group has not committed yet. Each is read once.

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.AppInfoParser;

public class ConsumerGroups {
    static final Duration LIMIT = Duration.ofSeconds(90);
    static String bootstrap, topic;
    static int partitions, count, checks = 0;
    static final Set<String> seen = new HashSet<>();

    static void check(String what, boolean good, Object saw) {
        if (!good) {
            System.out.println("FAILED " + what + ": " + saw);
            System.exit(1);
        }
        checks++;
    }

    static KafkaConsumer<byte[], byte[]> member(String group, Map<String, Object> more) {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", group);
        config.put("auto.offset.reset", "earliest");
        config.put("enable.auto.commit", "false");
        config.put("key.deserializer", ByteArrayDeserializer.class.getName());
        config.put("value.deserializer", ByteArrayDeserializer.class.getName());
        config.putAll(more);
        return new KafkaConsumer<>(config);
    }

    static KafkaConsumer<byte[], byte[]> subscribed(String group, Map<String, Object> more) {
        KafkaConsumer<byte[], byte[]> member = member(group, more);
        member.subscribe(List.of(topic), new CommitBefore(member));
        return member;
    }

    /// Commits what was read before partitions go elsewhere.
    record CommitBefore(KafkaConsumer<byte[], byte[]> member) implements ConsumerRebalanceListener {
        public void onPartitionsRevoked(java.util.Collection<TopicPartition> revoked) {
            member.commitSync();
        }

        public void onPartitionsAssigned(java.util.Collection<TopicPartition> assigned) { }
    }

    static void pollUntil(String what, List<KafkaConsumer<byte[], byte[]>> members, BooleanSupplier done) {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (!done.getAsBoolean()) {
            for (var member : members) {
                for (var read : member.poll(Duration.ofMillis(50))) {
                    String place = read.topic() + "-" + read.partition() + "-" + read.offset();
                    check("reads " + place + " once", seen.add(place), what);
                }
            }
            List<Object> assignments = new ArrayList<>();
            members.forEach(member -> assignments.add(member.assignment()));
            check(what + " in time", System.nanoTime() < end, assignments + ", read " + seen.size());
        }
    }

    static boolean isBalanced(List<KafkaConsumer<byte[], byte[]>> members) {
        Set<Integer> owned = new TreeSet<>();
        int total = 0;
        for (var member : members) {
            // While partitions move, all may be read by unequal shares.
            if (member.assignment().size() != partitions / members.size()) return false;
            for (var one : member.assignment()) owned.add(one.partition());
            total += member.assignment().size();
        }
        return total == partitions && owned.size() == partitions;
    }

    static ConsumerGroupDescription described(Admin admin, String group) {
        try {
            return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    static void close(List<KafkaConsumer<byte[], byte[]>> members) {
        for (var member : members) {
            member.commitSync();
            member.close();
        }
    }

    static final Map<String, Object> CONSUMER = Map.of("group.protocol", "consumer");
    static final Map<String, Object> CLASSIC = Map.of(
        "group.protocol", "classic", "session.timeout.ms", "6000", "heartbeat.interval.ms", "200",
        "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    static Map<String, Object> with(Map<String, Object> config, String key, Object value) {
        Map<String, Object> more = new HashMap<>(config);
        more.put(key, value);
        return more;
    }

    /// Members come, leave, and are static.
    static void members(Admin admin) {
        String group = "java-members";
        var members = new ArrayList<KafkaConsumer<byte[], byte[]>>();
        for (int n = 0; n < 2; n++) {
            members.add(subscribed(group, with(with(CONSUMER, "group.instance.id", "static-" + n), "group.remote.assignor", "range")));
        }
        pollUntil("two members", members, () -> isBalanced(members) && seen.size() >= count);
        members.add(subscribed(group, CONSUMER));
        pollUntil("three members", members, () -> isBalanced(members));
        ConsumerGroupDescription stable = described(admin, group);
        check("type", stable.type() == GroupType.CONSUMER, stable);
        check("assignor", stable.partitionAssignor().equals("range"), stable);
        check("members", stable.members().size() == 3, stable);
        var owned = members.get(1).assignment();
        members.get(1).commitSync();
        members.get(1).close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP));
        members.set(1, subscribed(group, with(with(CONSUMER, "group.instance.id", "static-1"), "group.remote.assignor", "range")));
        pollUntil("the static member is back", members, () -> isBalanced(members));
        check("it has what it had", members.get(1).assignment().equals(owned), members.get(1).assignment());
        close(members);
        check("all is read", seen.size() == count, seen.size());
    }

    /// Classic members are replaced one by one, and then back.
    static void roll(Admin admin) {
        String group = "java-roll";
        var members = new ArrayList<KafkaConsumer<byte[], byte[]>>();
        members.add(subscribed(group, CLASSIC));
        members.add(subscribed(group, CLASSIC));
        pollUntil("classic", members, () -> isBalanced(members) && seen.size() >= count);
        check("classic", described(admin, group).type() == GroupType.CLASSIC, described(admin, group));
        for (int n = 0; n < 2; n++) {
            members.get(n).commitSync();
            members.get(n).close();
            members.set(n, subscribed(group, CONSUMER));
            pollUntil("upgraded " + n, members, () -> isBalanced(members));
            check("consumer", described(admin, group).type() == GroupType.CONSUMER, described(admin, group));
        }
        for (int n = 0; n < 2; n++) {
            members.get(n).commitSync();
            members.get(n).close();
            members.set(n, subscribed(group, CLASSIC));
            pollUntil("downgraded " + n, members, () -> isBalanced(members));
        }
        check("classic again", described(admin, group).type() == GroupType.CLASSIC, described(admin, group));
        close(members);
        check("all is read", seen.size() == count, seen.size());
    }

    /// The broker resolves a regular expression, and sees a topic that is created later.
    static void regex(Admin admin) throws Exception {
        String group = "java-regex";
        var member = member(group, with(CONSUMER, "metadata.max.age.ms", "1000"));
        member.subscribe(new SubscriptionPattern(topic + "(-.*)?"));
        var members = List.of(member);
        pollUntil("what there is", members, () -> member.assignment().size() == partitions && seen.size() >= count);
        member.commitSync();
        member.close();
        check("all is read", seen.size() == count, seen.size());
        var invalid = member(group, CONSUMER);
        invalid.subscribe(new SubscriptionPattern("("));
        try {
            pollUntil("a bad expression", List.of(invalid), () -> false);
        } catch (org.apache.kafka.common.errors.InvalidRegularExpression error) {
            check("its words", error.getMessage().contains("missing closing )"), error.getMessage());
        }
        invalid.close();
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        topic = arguments[1];
        partitions = Integer.parseInt(arguments[2]);
        count = Integer.parseInt(arguments[3]);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            switch (arguments[4]) {
                case "members" -> members(admin);
                case "roll" -> roll(admin);
                case "regex" -> regex(admin);
            }
        }
        System.out.println("OK java " + AppInfoParser.getVersion() + " checks=" + checks);
    }
}
