package main

import (
	"sort"
	"time"

	"github.com/IBM/sarama"
)

func useSarama(bootstrap string) {
	config := sarama.NewConfig()
	config.Version = sarama.V4_1_0_0
	config.Producer.Return.Successes = true
	// What is only in one broker's memory is not visible yet where a topic is durable.
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	client, err := sarama.NewClient([]string{bootstrap}, config)
	must(err)
	admin, err := sarama.NewClusterAdminFromClient(client)
	must(err)
	defer admin.Close()

	detail := func(partitions int32, replicas int16) *sarama.TopicDetail {
		return &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replicas}
	}
	say("CreateTopic", nil, admin.CreateTopic("sarama", detail(2, 1), false))
	say("CreateTopic exists", nil, admin.CreateTopic("sarama", detail(2, 1), false))
	say("CreateTopic bad name", nil, admin.CreateTopic("a b", detail(2, 1), false))
	say("CreateTopic two replicas", nil, admin.CreateTopic("two", detail(1, 2), false))
	say("CreateTopic validated", nil, admin.CreateTopic("never", detail(1, 1), true))

	topics, err := admin.ListTopics()
	say("ListTopics", topics["sarama"].NumPartitions, err)
	described, err := admin.DescribeTopics([]string{"sarama", "no-such"})
	for _, topic := range described {
		say("DescribeTopics "+topic.Name, []any{topic.Err, topic.IsInternal, len(topic.Partitions)}, nil)
	}
	say("DescribeTopics", len(described), err)
	say("CreatePartitions", nil, admin.CreatePartitions("sarama", 3, nil, false))
	say("CreatePartitions fewer", nil, admin.CreatePartitions("sarama", 1, nil, false))

	producer, err := sarama.NewSyncProducerFromClient(client)
	must(err)
	for n := range 10 {
		message := &sarama.ProducerMessage{Topic: "sarama", Partition: 0, Value: sarama.StringEncoder("value"),
			Timestamp: time.UnixMilli(1_700_000_000_000 + int64(n))}
		_, _, err = producer.SendMessage(message)
		must(err)
	}
	must(producer.Close())
	say("DeleteRecords", nil, admin.DeleteRecords("sarama", map[int32]int64{0: 4}))
	say("DeleteRecords behind the end", nil, admin.DeleteRecords("sarama", map[int32]int64{0: 400}))
	oldest, err := client.GetOffset("sarama", 0, sarama.OffsetOldest)
	say("GetOffset oldest", oldest, err)
	newest, err := client.GetOffset("sarama", 0, sarama.OffsetNewest)
	say("GetOffset newest", newest, err)

	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "sarama",
		ConfigNames: []string{"retention.ms"}})
	for _, entry := range entries {
		say("DescribeConfig", []any{entry.Name, entry.Value, entry.ReadOnly, entry.Source}, err)
	}
	_, err = admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "no-such"})
	say("DescribeConfig unknown", nil, err)

	brokers, controller, err := admin.DescribeCluster()
	say("DescribeCluster", []any{len(brokers), controller}, err)
	reassigning, err := admin.ListPartitionReassignments("sarama", []int32{0})
	say("ListPartitionReassignments", reassigning, err)
	say("AlterPartitionReassignments", nil, admin.AlterPartitionReassignments("sarama", [][]int32{{1}, {1}, {1}}))
	say("AlterPartitionReassignments refused", nil, admin.AlterPartitionReassignments("sarama", [][]int32{{9}, {1}, {1}}))
	elected, err := admin.ElectLeaders(sarama.PreferredElection, map[string][]int32{"sarama": {0}})
	for topic, partitions := range elected {
		for partition, result := range partitions {
			say("ElectLeaders "+topic, []any{partition, result.ErrorCode}, nil)
		}
	}
	say("ElectLeaders", len(elected), err)
	dirs, err := admin.DescribeLogDirs([]int32{1})
	var sizes []int
	for _, dir := range dirs[1] {
		sizes = append(sizes, int(dir.ErrorCode))
	}
	sort.Ints(sizes)
	say("DescribeLogDirs", sizes, err)
	user := []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: "sarama"}}
	rate := sarama.ClientQuotasOp{Key: "producer_byte_rate", Value: 1e9}
	say("AlterClientQuotas", nil, admin.AlterClientQuotas(user, rate, false))
	say("AlterClientQuotas refused", nil, admin.AlterClientQuotas(user, sarama.ClientQuotasOp{Key: "nonsense", Value: 1}, false))
	filter := []sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Match: "sarama"}}
	// Kafka answers a change before its own metadata has it.
	quotas, err := admin.DescribeClientQuotas(filter, true)
	for deadline := time.Now().Add(time.Minute); err == nil && len(quotas) == 0 && time.Now().Before(deadline); {
		quotas, err = admin.DescribeClientQuotas(filter, true)
	}
	for _, entry := range quotas {
		say("DescribeClientQuotas", []any{len(entry.Entity), entry.Values}, err)
	}
	rate.Remove = true
	say("AlterClientQuotas taken back", nil, admin.AlterClientQuotas(user, rate, false))
	for deadline := time.Now().Add(time.Minute); err == nil && len(quotas) > 0 && time.Now().Before(deadline); {
		quotas, err = admin.DescribeClientQuotas(filter, true)
	}
	say("DescribeClientQuotas of what is left", len(quotas), err)
	say("DeleteTopic", nil, admin.DeleteTopic("sarama"))
	say("DeleteTopic unknown", nil, admin.DeleteTopic("no-such"))
}
