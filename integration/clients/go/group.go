package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions = 6
	limit      = 3 * time.Minute
)

// place is a record's partition and offset.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// reading is what the members of one group have read and committed.
type reading struct {
	group     string
	mutex     sync.Mutex
	seen      map[place]bool
	committed map[string]int64
}

func newReading(group string) *reading {
	return &reading{group: group, seen: map[place]bool{}, committed: map[string]int64{}}
}

func key(topic string, partition int32) string { return fmt.Sprintf("%s-%d", topic, partition) }

// read notes a record; nobody may read what the group had committed before.
func (r *reading) read(record place) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	committed := r.committed[key(record.topic, record.partition)]
	check(r.group+" reads nothing that it had committed", record.offset >= committed, record, committed)
	r.seen[record] = true
}

// commit notes that the broker took a commit of everything up to and with a record.
func (r *reading) commit(record place) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	name := key(record.topic, record.partition)
	r.committed[name] = max(r.committed[name], record.offset+1)
}

func (r *reading) size() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.seen)
}

// await looks until done; details are shown when it takes too long.
func await(what string, done func() bool, details func() any) {
	for end := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			check(what+" in time", false, details())
		}
	}
	checks.Add(1)
}

// awaitMembers waits until the broker says that a group is stable, of so many members, of which each has partitions.
func awaitMembers(bootstrap, group string, members int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	must(err)
	defer client.Close()
	admin := kadm.NewClient(client)
	var last any
	await(group+" is balanced", func() bool {
		described, err := admin.DescribeGroups(context.Background(), group)
		last = []any{described, err}
		if err != nil || described[group].State != "Stable" || len(described[group].Members) != members {
			return false
		}
		owned := 0
		for _, member := range described[group].Members {
			assignment, ok := member.Assigned.AsConsumer()
			if !ok || len(assignment.Topics) == 0 {
				return false
			}
			owned += len(assignment.Topics[0].Partitions)
		}
		return owned == partitions
	}, func() any { return last })
}
