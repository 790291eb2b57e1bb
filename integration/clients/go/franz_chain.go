package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	stages = 3
	// How many values a stage gets at each of the four steps of its churn.
	fed = 20
	// Sessions: a member that is to die must not be missed for long.
	long, short = 45 * time.Second, 6 * time.Second
)

// stage is a group of three members that carries each value of one topic to the next; the last one collects them.
type stage struct {
	bootstrap, mode, from, to string
	reading                   *reading
	mutex                     sync.Mutex
	values                    map[string]bool
}

// member is one client of a group, with the partitions that it has and the connections that it is reached by.
type member struct {
	stage   *stage
	client  *kgo.Client
	poll    context.Context
	stop    context.CancelFunc
	stopped chan struct{}

	mutex       sync.Mutex
	owned       map[int32]bool
	connections []net.Conn
	isDead      bool
}

func balancer(mode string) []kgo.GroupOpt {
	switch mode {
	case "eager":
		return []kgo.GroupOpt{kgo.Balancers(kgo.StickyBalancer())}
	case "cooperative":
		return []kgo.GroupOpt{kgo.Balancers(kgo.CooperativeStickyBalancer())}
	case "static":
		return []kgo.GroupOpt{kgo.Balancers(kgo.RangeBalancer())}
	case "consumer":
		return []kgo.GroupOpt{kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer()}
	}
	panic("which mode? eager, cooperative, static or consumer")
}

// join starts a member. One that is to die has a short session.
func (s *stage) join(name string, session time.Duration) *member {
	m := &member{stage: s, owned: map[int32]bool{}, stopped: make(chan struct{})}
	m.poll, m.stop = context.WithCancel(context.Background())
	options := []kgo.Opt{
		kgo.SeedBrokers(s.bootstrap), kgo.ConsumerGroup(s.reading.group), kgo.ConsumeTopics(s.from),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(session), kgo.HeartbeatInterval(200 * time.Millisecond), kgo.FetchMaxWait(50 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, changed map[string][]int32) { m.change(changed, true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, changed map[string][]int32) { m.change(changed, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, changed map[string][]int32) { m.change(changed, false) }),
		kgo.Dialer(m.dial),
	}
	for _, option := range balancer(s.mode) {
		options = append(options, option)
	}
	if s.mode == "static" {
		options = append(options, kgo.InstanceID(name))
	}
	client, err := kgo.NewClient(options...)
	must(err)
	m.client = client
	go m.run()
	return m
}

func (m *member) change(changed map[string][]int32, isOwned bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, partition := range changed[m.stage.from] {
		if isOwned {
			m.owned[partition] = true
		} else {
			delete(m.owned, partition)
		}
	}
}

func (m *member) partitions() map[int32]bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	owned := map[int32]bool{}
	for partition := range m.owned {
		owned[partition] = true
	}
	return owned
}

func (m *member) dial(ctx context.Context, network, host string) (net.Conn, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, network, host)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if err == nil && m.isDead {
		connection.Close()
		return nil, errors.New("dead")
	}
	m.connections = append(m.connections, connection)
	return connection, err
}

// run carries what it reads and commits it, before it lets a rebalance go on.
func (m *member) run() {
	defer close(m.stopped)
	for m.poll.Err() == nil {
		fetches := m.client.PollRecords(m.poll, 20)
		for _, failed := range fetches.Errors() {
			var session *kgo.ErrGroupSession
			ok := errors.As(failed.Err, &session) || errors.Is(failed.Err, context.Canceled)
			check("a fetch of "+m.stage.reading.group, ok, failed.Err)
		}
		if records := fetches.Records(); len(records) > 0 {
			m.carry(records)
		}
		m.client.AllowRebalance()
	}
}

func (m *member) carry(records []*kgo.Record) {
	var next []*kgo.Record
	for _, record := range records {
		m.stage.reading.read(place{record.Topic, record.Partition, record.Offset})
		m.stage.collect(string(record.Value))
		if m.stage.to != "" {
			next = append(next, &kgo.Record{Topic: m.stage.to, Key: record.Key, Value: record.Value})
		}
	}
	check("produce", m.client.ProduceSync(context.Background(), next...).FirstErr() == nil)
	// It is refused when the group has gone on without this member: another one reads the same again.
	if m.client.CommitRecords(context.Background(), records...) == nil {
		for _, record := range records {
			m.stage.reading.commit(place{record.Topic, record.Partition, record.Offset})
		}
	}
}

func (s *stage) collect(value string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.values[value] = true
}

func (s *stage) collected() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.values)
}

// leave ends a member in order: dynamic ones leave the group.
func (m *member) leave() {
	m.stop()
	<-m.stopped
	m.client.CloseAllowingRebalance()
}

// die ends a member as a crash would: nobody hears from it again.
func (m *member) die() {
	m.stop()
	<-m.stopped
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.isDead = true
	for _, connection := range m.connections {
		if connection != nil {
			connection.Close()
		}
	}
	go m.client.CloseAllowingRebalance()
}

// balanced waits until every partition has one owner, and every member a partition.
func (s *stage) balanced(when string, members []*member) {
	var shares []map[int32]bool
	await(s.reading.group+" is balanced "+when, func() bool {
		shares = nil
		all, sum := map[int32]bool{}, 0
		for _, m := range members {
			share := m.partitions()
			shares = append(shares, share)
			sum += len(share)
			for partition := range share {
				all[partition] = true
			}
			if len(share) == 0 {
				return false
			}
		}
		return len(all) == partitions && sum == partitions
	}, func() any { return shares })
}

// churn lets one member leave and one die, each being replaced, while new values come.
func (s *stage) churn(members []*member) []*member {
	owned := members[0].partitions()
	s.feed("leave")
	members[0].leave()
	if s.mode != "static" {
		s.balanced("without who left", members[1:])
	}
	s.feed("come")
	members[0] = s.join("0", long)
	s.balanced("with who came", members)
	if s.mode == "static" {
		check("a static member has what it had", fmt.Sprint(members[0].partitions()) == fmt.Sprint(owned), owned)
	}
	s.feed("die")
	members[2].die()
	if s.mode != "static" {
		s.balanced("without who died", members[:2])
	}
	s.feed("come instead")
	members[2] = s.join("2", short)
	s.balanced("with who came instead", members)
	return members
}

// feed puts values of its own where the stage reads.
func (s *stage) feed(when string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap), kgo.DefaultProduceTopic(s.from))
	must(err)
	defer client.Close()
	for number := range fed {
		must(client.ProduceSync(context.Background(), kgo.StringRecord(fmt.Sprint(s.from, when, number))).FirstErr())
	}
}

func (s *stage) start() []*member {
	return []*member{s.join("0", long), s.join("1", long), s.join("2", short)}
}

// runChain carries count values from topic MODE-0, in which others put them, through three groups. When half of them have
// arrived, members begin to come and go.
func runChain(bootstrap, mode string, count int) {
	var chain []*stage
	var members [][]*member
	for number := range stages {
		s := &stage{bootstrap: bootstrap, mode: mode, from: fmt.Sprintf("%s-%d", mode, number), values: map[string]bool{}}
		s.reading = newReading(fmt.Sprintf("franz-%s-%d", mode, number))
		if number+1 < stages {
			s.to = fmt.Sprintf("%s-%d", mode, number+1)
		}
		chain, members = append(chain, s), append(members, s.start())
	}
	last := chain[stages-1]
	has := func(count int) {
		await(mode+" carries all", func() bool { return last.collected() >= count }, func() any { return last.collected() })
	}
	has(count/2 + 1)
	var churning sync.WaitGroup
	for number, s := range chain {
		churning.Go(func() {
			s.balanced("at first", members[number])
			members[number] = s.churn(members[number])
		})
	}
	churning.Wait()
	count += stages * 4 * fed
	has(count)
	check(mode+" carries nothing else", last.collected() == count, last.collected())
	awaitNoLag(bootstrap, chain)
	for _, group := range members {
		for _, m := range group {
			m.leave()
		}
	}
}

// awaitNoLag waits until each group has committed the end of its topic, as the broker says.
func awaitNoLag(bootstrap string, chain []*stage) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	must(err)
	defer client.Close()
	admin := kadm.NewClient(client)
	for _, s := range chain {
		var last any
		await(s.reading.group+" has no lag", func() bool {
			lag, known, err := s.lag(admin)
			last = []any{lag, known, err}
			return err == nil && lag == 0 && known == partitions
		}, func() any { return last })
	}
}

// lag is how much the group has still to read, and in how many partitions that is known.
func (s *stage) lag(admin *kadm.Client) (int64, int, error) {
	group := s.reading.group
	if s.mode != "consumer" {
		lags, err := admin.Lag(context.Background(), group)
		lag := lags[group]
		return lag.Lag.Total(), len(lag.Lag[s.from]), errors.Join(err, lag.Error())
	}
	// admin.Lag asks by DescribeGroups, which knows the classic protocol only.
	committed, err := admin.FetchOffsets(context.Background(), group)
	if err != nil {
		return 0, 0, err
	}
	ends, err := admin.ListEndOffsets(context.Background(), s.from)
	if err != nil {
		return 0, 0, err
	}
	lag, known := int64(0), 0
	ends.Each(func(end kadm.ListedOffset) {
		// Nothing is committed of a partition without records.
		at, _ := committed.Lookup(end.Topic, end.Partition)
		lag, known = lag+end.Offset-max(at.At, 0), known+1
	})
	return lag, known, errors.Join(committed.Error(), ends.Error())
}
