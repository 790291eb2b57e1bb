package main

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func useKadm(bootstrap string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(err)
	defer client.Close()
	admin := kadm.NewClient(client)

	create := func(call, topic string, partitions int32, replicas int16) {
		created, err := admin.CreateTopic(ctx, partitions, replicas, nil, topic)
		say(call, []any{created.Topic, created.NumPartitions, created.ReplicationFactor, created.ErrMessage}, err)
	}
	create("CreateTopic", "kadm", 2, 1)
	create("CreateTopic defaults", "kadm-defaults", -1, -1)
	create("CreateTopic exists", "kadm", 2, 1)
	create("CreateTopic bad name", "a b", 2, 1)
	create("CreateTopic two replicas", "two", 1, 2)
	validated, err := admin.ValidateCreateTopics(ctx, 1, 1, nil, "never")
	say("ValidateCreateTopics", validated["never"].Err, err)

	topics, err := admin.ListTopics(ctx, "kadm", "no-such")
	for _, topic := range topics.Sorted() {
		say("ListTopics "+topic.Topic, []any{topic.IsInternal, topic.Partitions.NumReplicas(), len(topic.Partitions), topic.Err}, err)
	}
	grown, err := admin.UpdatePartitions(ctx, 3, "kadm", "no-such")
	for _, topic := range grown.Sorted() {
		say("UpdatePartitions "+topic.Topic, []any{topic.Err, topic.ErrMessage}, err)
	}
	for n := range 10 {
		record := &kgo.Record{Topic: "kadm", Partition: 0, Value: []byte("value"), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(n))}
		must(client.ProduceSync(ctx, record).FirstErr())
	}
	offsets := func(call string, listed kadm.ListedOffsets, err error) {
		found, _ := listed.Lookup("kadm", 0)
		say(call, []any{found.Offset, found.Timestamp, found.LeaderEpoch, found.Err}, err)
	}
	listed, err := admin.ListStartOffsets(ctx, "kadm")
	offsets("ListStartOffsets", listed, err)
	listed, err = admin.ListEndOffsets(ctx, "kadm")
	offsets("ListEndOffsets", listed, err)
	listed, err = admin.ListCommittedOffsets(ctx, "kadm")
	offsets("ListCommittedOffsets", listed, err)
	listed, err = admin.ListMaxTimestampOffsets(ctx, "kadm")
	offsets("ListMaxTimestampOffsets", listed, err)
	listed, err = admin.ListOffsetsAfterMilli(ctx, 1_700_000_000_005, "kadm")
	offsets("ListOffsetsAfterMilli", listed, err)

	until := kadm.Offsets{}
	until.AddOffset("kadm", 0, 4, -1)
	deleted, err := admin.DeleteRecords(ctx, until)
	record, _ := deleted.Lookup("kadm", 0)
	say("DeleteRecords", []any{record.LowWatermark, record.Err}, err)

	configs, err := admin.DescribeTopicConfigs(ctx, "kadm")
	for _, config := range configs {
		for _, entry := range config.Configs {
			if entry.Key == "retention.ms" {
				say("DescribeTopicConfigs", []any{entry.MaybeValue(), entry.Source, entry.Sensitive}, config.Err)
			}
		}
	}
	say("DescribeTopicConfigs", len(configs), err)
	brokers, err := admin.ListBrokers(ctx)
	say("ListBrokers", brokers.NodeIDs(), err)
	metadata, err := admin.BrokerMetadata(ctx)
	say("BrokerMetadata", metadata.Controller, err)
	versions, err := admin.ApiVersions(ctx)
	say("ApiVersions", len(versions), err)

	set := kadm.TopicsSet{}
	set.Add("kadm", 0)
	set.Add("no-such", 0)
	elected, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, set)
	for _, topic := range []string{"kadm", "no-such"} {
		result := elected[topic][0]
		say("ElectLeaders "+topic, []any{result.Err, result.ErrMessage}, err)
	}
	reassign := kadm.AlterPartitionAssignmentsReq{}
	reassign.Assign("kadm", 0, []int32{1})
	reassign.Assign("kadm", 1, []int32{9})
	altered, err := admin.AlterPartitionAssignments(ctx, reassign)
	for _, result := range altered.Sorted() {
		say(fmt.Sprintf("AlterPartitionAssignments %d", result.Partition), []any{result.Err, result.ErrMessage}, err)
	}
	ongoing, err := admin.ListPartitionReassignments(ctx, set)
	say("ListPartitionReassignments", len(ongoing), err)
	known := kadm.TopicsSet{}
	known.Add("kadm", 0)
	producers, err := admin.DescribeProducers(ctx, known)
	for _, producer := range producers.SortedPartitions() {
		say("DescribeProducers "+producer.Topic, []any{len(producer.ActiveProducers), producer.Err}, err)
	}
	dirs, err := admin.DescribeAllLogDirs(ctx, nil)
	var errors []string
	dirs.Each(func(dir kadm.DescribedLogDir) { errors = append(errors, fmt.Sprint(dir.Err)) })
	sort.Strings(errors)
	say("DescribeAllLogDirs", errors, err)
	name := "kadm-client"
	entity := kadm.ClientQuotaEntity{{Type: "client-id", Name: &name}, {Type: "user", Name: nil}}
	quota := func(call string, value float64, remove bool) {
		op := kadm.AlterClientQuotaOp{Key: "consumer_byte_rate", Value: value, Remove: remove}
		results, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: entity, Ops: []kadm.AlterClientQuotaOp{op}}})
		for _, result := range results {
			say(call, []any{result.Entity.String(), result.Err, result.ErrMessage}, err)
		}
	}
	quota("AlterClientQuotas", 1e9, false)
	quota("AlterClientQuotas refused", 0.5, false)
	component := []kadm.DescribeClientQuotaComponent{{Type: "client-id", MatchName: &name}}
	// Kafka answers a change before its own metadata has it.
	quotas, err := admin.DescribeClientQuotas(ctx, false, component)
	for err == nil && len(quotas) == 0 {
		quotas, err = admin.DescribeClientQuotas(ctx, false, component)
	}
	for _, described := range quotas {
		say("DescribeClientQuotas", []any{described.Entity.String(), described.Values}, err)
	}
	quota("AlterClientQuotas taken back", 0, true)
	for err == nil && len(quotas) > 0 {
		quotas, err = admin.DescribeClientQuotas(ctx, false, component)
	}
	say("DescribeClientQuotas of what is left", len(quotas), err)
	scrams, err := admin.DescribeUserSCRAMs(ctx)
	say("DescribeUserSCRAMs", len(scrams), err)
	removed, err := admin.DeleteTopics(ctx, "kadm", "kadm-defaults", "no-such")
	for _, topic := range removed.Sorted() {
		say("DeleteTopics "+topic.Topic, []any{topic.Err, topic.ErrMessage}, err)
	}
}
