package main

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// saramaMember commits after each record, so that nothing is read again after a rebalance.
type saramaMember struct{ reading *reading }

func (saramaMember) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		record := place{message.Topic, message.Partition, message.Offset}
		m.reading.read(record)
		session.MarkMessage(message, "")
		session.Commit()
		m.reading.commit(record)
	}
	return nil
}

func readWithSarama(bootstrap, topic string, count int) {
	const group = "sarama"
	config := sarama.NewConfig()
	config.Version = sarama.V4_1_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = 30 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	config.Consumer.MaxWaitTime = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	reading := newReading(group)
	var members []sarama.ConsumerGroup
	var running sync.WaitGroup
	for range 2 {
		member, err := sarama.NewConsumerGroup([]string{bootstrap}, group, config)
		must(err)
		members = append(members, member)
		running.Go(func() {
			for ctx.Err() == nil {
				must(member.Consume(ctx, []string{topic}, saramaMember{reading}))
			}
		})
	}
	awaitMembers(bootstrap, group, len(members))
	await(group+" reads all", func() bool { return reading.size() >= count }, func() any { return reading.size() })
	cancel()
	running.Wait()
	for _, member := range members {
		must(member.Close())
	}
	check(group+" reads each record once", reading.size() == count, reading.size())
}
