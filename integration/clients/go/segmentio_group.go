package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

func readWithSegmentio(bootstrap, topic string, count int) {
	const group = "segmentio"
	var members []*kafka.Reader
	for range 2 {
		members = append(members, kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{bootstrap}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset,
			SessionTimeout: 30 * time.Second, HeartbeatInterval: 200 * time.Millisecond, MaxWait: 50 * time.Millisecond,
		}))
	}
	// A member that is being rebalanced may still hand out records of its former partitions.
	awaitMembers(bootstrap, group, len(members))
	ctx, cancel := context.WithCancel(context.Background())
	reading := newReading(group)
	var running sync.WaitGroup
	for _, member := range members {
		running.Go(func() {
			for {
				message, err := member.FetchMessage(ctx)
				if errors.Is(err, context.Canceled) {
					return
				}
				must(err)
				record := place{message.Topic, int32(message.Partition), message.Offset}
				reading.read(record)
				must(member.CommitMessages(context.Background(), message))
				reading.commit(record)
			}
		})
	}
	await(group+" reads all", func() bool { return reading.size() >= count }, func() any { return reading.size() })
	cancel()
	running.Wait()
	for _, member := range members {
		must(member.Close())
	}
	check(group+" reads each record once", reading.size() == count, reading.size())
}
