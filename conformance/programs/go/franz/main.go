// Checks of franz-go: its client kgo and its admin client kadm. The only argument is the broker's address.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"conformance/checks"
)

var broker string

func main() {
	broker = os.Args[1]
	all := map[string]checks.Check{
		"headers_keys_timestamps":                headersKeysTimestamps,
		"classic_static_membership":              staticMembership,
		"consumer_protocol":                      consumerProtocol,
		"transactions_commit_and_abort":          commitAndAbort,
		"transactions_consume_transform_produce": consumeTransformProduce,
		"transactions_zombie_is_fenced":          zombieIsFenced,
		"admin_topics":                           adminTopics,
		"admin_configs":                          adminConfigs,
		"admin_groups":                           adminGroups,
		"admin_offsets_and_records":              adminOffsetsAndRecords,
		"admin_log_dirs":                         adminLogDirs,
		"admin_acls":                             adminACLs,
		"admin_scram":                            adminScram,
		"admin_elections_and_reassignments":      adminElections,
	}
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		all["compression_"+name] = func(ctx context.Context) error { return roundTrip(ctx, codec) }
	}
	balancers := map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"sticky": kgo.StickyBalancer(), "cooperative_sticky": kgo.CooperativeStickyBalancer(),
	}
	for name, balancer := range balancers {
		all["classic_"+name] = func(ctx context.Context) error {
			return membersComeAndGo(ctx, kgo.Balancers(balancer))
		}
	}
	checks.Serve(all)
}

func client(options ...kgo.Opt) *kgo.Client {
	return checks.Must(kgo.NewClient(append(options, kgo.SeedBrokers(broker))...))
}

func admin() (*kadm.Client, func()) {
	made := kadm.NewClient(client())
	return made, made.Close
}

func topic(ctx context.Context, partitions int32) string {
	adm, done := admin()
	defer done()
	name := checks.Unique("franz")
	checks.Must(adm.CreateTopic(ctx, partitions, 1, nil, name))
	return name
}

func fill(ctx context.Context, topic string, partitions, count int, options ...kgo.Opt) {
	cl := client(append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	defer cl.Close()
	records := make([]*kgo.Record, count)
	for i := range records {
		records[i] = &kgo.Record{
			Topic: topic, Partition: int32(i % partitions),
			Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "value %d", i),
		}
	}
	checks.NoError(cl.ProduceSync(ctx, records...).FirstErr())
}

// read polls until it has so many records.
func read(ctx context.Context, cl *kgo.Client, count int) []*kgo.Record {
	var records []*kgo.Record
	for len(records) < count {
		fetches := cl.PollFetches(ctx)
		checks.NoError(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

func readAll(ctx context.Context, topic string, count int) []*kgo.Record {
	cl := client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer cl.Close()
	return read(ctx, cl, count)
}

func roundTrip(ctx context.Context, codec kgo.CompressionCodec) error {
	name := topic(ctx, 3)
	fill(ctx, name, 3, 3_000, kgo.ProducerBatchCompression(codec))
	different := map[string]bool{}
	for _, each := range readAll(ctx, name, 3_000) {
		different[string(each.Value)] = true
	}
	return checks.Same("different values", 3_000, len(different))
}

func headersKeysTimestamps(ctx context.Context) error {
	name := topic(ctx, 1)
	cl := client()
	defer cl.Close()
	sent := &kgo.Record{
		Topic: name, Key: []byte("키"), Value: nil, Timestamp: time.UnixMilli(1_234_567_890_123),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}},
	}
	checks.NoError(cl.ProduceSync(ctx, sent).FirstErr())
	got := readAll(ctx, name, 1)[0]
	return errors.Join(
		checks.Same("key", "키", string(got.Key)),
		checks.Same("null value", true, got.Value == nil),
		checks.Same("timestamp", sent.Timestamp.UnixMilli(), got.Timestamp.UnixMilli()),
		checks.Same("headers", sent.Headers, got.Headers),
	)
}

// member is a consumer that polls until it is closed.
type member struct {
	client *kgo.Client
	done   chan struct{}
}

func join(group, name string, options ...kgo.Opt) *member {
	options = append(options, kgo.ConsumerGroup(group), kgo.ConsumeTopics(name), kgo.HeartbeatInterval(300*time.Millisecond))
	made := &member{client(options...), make(chan struct{})}
	go func() {
		defer close(made.done)
		for !made.client.PollFetches(context.Background()).IsClientClosed() {
		}
	}()
	return made
}

func (m *member) leave() {
	m.client.Close()
	<-m.done
}

// balanced waits until the group is stable and its members have so many partitions each.
func balanced(ctx context.Context, group string, each ...int) {
	adm, done := admin()
	defer done()
	for {
		described := checks.Must(adm.DescribeGroups(ctx, group))[group]
		var counts []int
		for _, member := range described.Members {
			assigned, ok := member.Assigned.AsConsumer()
			if !ok {
				continue
			}
			sum := 0
			for _, each := range assigned.Topics {
				sum += len(each.Partitions)
			}
			counts = append(counts, sum)
		}
		if described.State == "Stable" && fmt.Sprint(counts) == fmt.Sprint(each) {
			return
		}
		select {
		case <-ctx.Done():
			panic(fmt.Sprintf("the group is %s with %v, expected %v", described.State, counts, each))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func membersComeAndGo(ctx context.Context, balancer kgo.Opt) error {
	name, group := topic(ctx, 6), checks.Unique("group")
	first := join(group, name, balancer)
	defer first.leave()
	balanced(ctx, group, 6)
	second, third := join(group, name, balancer), join(group, name, balancer)
	balanced(ctx, group, 2, 2, 2)
	second.leave()
	balanced(ctx, group, 3, 3)
	third.leave()
	balanced(ctx, group, 6)
	return nil
}

func staticMembership(ctx context.Context) error {
	name, group := topic(ctx, 4), checks.Unique("group")
	first := join(group, name, kgo.InstanceID("first"))
	defer first.leave()
	second := join(group, name, kgo.InstanceID("second"))
	balanced(ctx, group, 2, 2)
	adm, done := admin()
	defer done()
	second.leave()
	// A static member that closes stays in the group.
	described := checks.Must(adm.DescribeGroups(ctx, group))[group]
	checks.NoError(checks.Same("members", 2, len(described.Members)))
	again := join(group, name, kgo.InstanceID("second"))
	defer again.leave()
	balanced(ctx, group, 2, 2)
	checks.Must(adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("second").Reason("conformance")))
	return nil
}

func consumerProtocol(ctx context.Context) error {
	name, group := topic(ctx, 4), checks.Unique("group")
	fill(ctx, name, 4, 400)
	first := client(
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(name), kgo.ServerSideBalancer(), kgo.DisableAutoCommit(),
	)
	defer first.Close()
	got := read(ctx, first, 400)
	checks.NoError(first.CommitRecords(ctx, got...))
	adm, done := admin()
	defer done()
	described := checks.Must(adm.DescribeConsumerGroups(ctx, group))
	checks.NoError(checks.Same("state", "Stable", described[group].State))
	offsets := checks.Must(adm.FetchOffsets(ctx, group))
	sum := int64(0)
	offsets.Each(func(each kadm.OffsetResponse) { sum += each.At })
	return checks.Same("committed offsets", 400, sum)
}

func commitAndAbort(ctx context.Context) error {
	name := topic(ctx, 3)
	cl := client(kgo.TransactionalID(checks.Unique("tx")), kgo.DefaultProduceTopic(name))
	defer cl.Close()
	for round := range 10 {
		checks.NoError(cl.BeginTransaction())
		for i := range 30 {
			cl.Produce(ctx, kgo.StringRecord(fmt.Sprintf("%d-%d", round, i)), nil)
		}
		checks.NoError(cl.Flush(ctx))
		checks.NoError(cl.EndTransaction(ctx, kgo.TransactionEndTry(round%2 == 0)))
	}
	fill(ctx, name, 1, 1)
	for _, each := range readAll(ctx, name, 151) {
		if value := string(each.Value); value[1] == '-' && (value[0]-'0')%2 == 1 {
			return fmt.Errorf("an aborted record was read: %s", value)
		}
	}
	return nil
}

func consumeTransformProduce(ctx context.Context) error {
	from, to := topic(ctx, 3), topic(ctx, 3)
	fill(ctx, from, 3, 300)
	session := checks.Must(kgo.NewGroupTransactSession(
		kgo.SeedBrokers(broker), kgo.TransactionalID(checks.Unique("tx")), kgo.ConsumerGroup(checks.Unique("group")),
		kgo.ConsumeTopics(from), kgo.DefaultProduceTopic(to), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
	))
	defer session.Close()
	for done, round := 0, 0; done < 300; round++ {
		records := session.PollRecords(ctx, 20).Records()
		checks.NoError(session.Begin())
		for _, each := range records {
			session.Produce(ctx, &kgo.Record{Value: each.Value}, nil)
		}
		committed := checks.Must(session.End(ctx, kgo.TransactionEndTry(round%3 != 1)))
		if committed {
			done += len(records)
		}
	}
	different := map[string]bool{}
	for _, each := range readAll(ctx, to, 300) {
		different[string(each.Value)] = true
	}
	return checks.Same("different values", 300, len(different))
}

func zombieIsFenced(ctx context.Context) error {
	name, id := topic(ctx, 1), checks.Unique("tx")
	options := []kgo.Opt{kgo.TransactionalID(id), kgo.DefaultProduceTopic(name)}
	zombie := client(options...)
	defer zombie.Close()
	checks.NoError(zombie.BeginTransaction())
	checks.NoError(zombie.ProduceSync(ctx, kgo.StringRecord("zombie")).FirstErr())
	successor := client(options...)
	defer successor.Close()
	checks.NoError(successor.BeginTransaction())
	checks.NoError(successor.ProduceSync(ctx, kgo.StringRecord("live")).FirstErr())
	checks.NoError(successor.EndTransaction(ctx, kgo.TryCommit))
	err := zombie.EndTransaction(ctx, kgo.TryCommit)
	if !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
		return fmt.Errorf("the zombie was told %v", err)
	}
	return checks.Same("read", "live", string(readAll(ctx, name, 1)[0].Value))
}

func adminTopics(ctx context.Context) error {
	adm, done := admin()
	defer done()
	name := topic(ctx, 2)
	checks.Must(adm.UpdatePartitions(ctx, 5, name))
	listed := checks.Must(adm.ListTopics(ctx, name))
	checks.NoError(checks.Same("partitions", 5, len(listed[name].Partitions)))
	_, err := adm.CreateTopic(ctx, 1, 1, nil, name)
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating it again: %v", err)
	}
	deleted := checks.Must(adm.DeleteTopics(ctx, name))
	checks.NoError(deleted.Error())
	metadata := checks.Must(adm.Metadata(ctx))
	return errors.Join(
		checks.Same("still there", false, metadata.Topics.Has(name)),
		checks.Same("brokers", 1, len(metadata.Brokers)),
		checks.Same("controller", metadata.Brokers[0].NodeID, metadata.Controller),
	)
}

func adminConfigs(ctx context.Context) error {
	adm, done := admin()
	defer done()
	name := topic(ctx, 1)
	value := "123456"
	set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}
	altered := checks.Must(adm.AlterTopicConfigs(ctx, set, name))
	checks.NoError(altered[0].Err)
	described := checks.Must(adm.DescribeTopicConfigs(ctx, name))
	for _, each := range described[0].Configs {
		if each.Key == "retention.ms" {
			checks.NoError(checks.Same("retention.ms", value, each.MaybeValue()))
		}
	}
	state := checks.Must(adm.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "segment.bytes", Value: &value}}, name))
	checks.NoError(state[0].Err)
	brokers := checks.Must(adm.DescribeBrokerConfigs(ctx, 1))
	return brokers[0].Err
}

func adminGroups(ctx context.Context) error {
	adm, done := admin()
	defer done()
	name, group := topic(ctx, 2), checks.Unique("group")
	fill(ctx, name, 2, 100)
	checks.NoError(adm.CommitAllOffsets(ctx, group, kadm.OffsetsFromRecords(kgo.Record{Topic: name, Partition: 0, Offset: 9})))
	lag := checks.Must(adm.Lag(ctx, group))
	checks.NoError(checks.Same("lag", 40, lag[group].Lag[name][0].Lag))
	var offsets kadm.Offsets
	offsets.AddOffset(name, 1, 7, -1)
	checks.NoError(adm.CommitAllOffsets(ctx, group, offsets))
	gone := checks.Must(adm.DeleteOffsets(ctx, group, kadm.TopicsSet{name: {0: {}}}))
	checks.NoError(gone.Error())
	left := checks.Must(adm.FetchOffsets(ctx, group))
	_, ok := left.Lookup(name, 0)
	checks.NoError(checks.Same("offset kept", false, ok))
	deleted := checks.Must(adm.DeleteGroups(ctx, group))
	return deleted.Error()
}

func adminOffsetsAndRecords(ctx context.Context) error {
	adm, done := admin()
	defer done()
	name := topic(ctx, 1)
	fill(ctx, name, 1, 100)
	var before kadm.Offsets
	before.AddOffset(name, 0, 60, -1)
	deleted := checks.Must(adm.DeleteRecords(ctx, before))
	checks.NoError(deleted.Error())
	starts := checks.Must(adm.ListStartOffsets(ctx, name))
	ends := checks.Must(adm.ListEndOffsets(ctx, name))
	committed := checks.Must(adm.ListCommittedOffsets(ctx, name))
	later := checks.Must(adm.ListOffsetsAfterMilli(ctx, time.Now().Add(time.Hour).UnixMilli(), name))
	return errors.Join(
		checks.Same("start", 60, starts[name][0].Offset),
		checks.Same("end", 100, ends[name][0].Offset),
		checks.Same("committed", 100, committed[name][0].Offset),
		checks.Same("later", 100, later[name][0].Offset),
	)
}

func adminLogDirs(ctx context.Context) error {
	adm, done := admin()
	defer done()
	name := topic(ctx, 1)
	fill(ctx, name, 1, 100)
	described := checks.Must(adm.DescribeAllLogDirs(ctx, nil))
	partition, ok := described[1].LookupPartition(name, 0)
	return checks.Same("has bytes", true, ok && partition.Size > 0)
}

func adminACLs(ctx context.Context) error {
	adm, done := admin()
	defer done()
	name := checks.Unique("topic")
	acl := kadm.NewACLs().Topics(name).Allow("User:alice").AllowHosts("*").Operations(kadm.OpRead).
		ResourcePatternType(kadm.ACLPatternLiteral)
	created := checks.Must(adm.CreateACLs(ctx, acl))
	checks.NoError(created[0].Err)
	described := checks.Must(adm.DescribeACLs(ctx, acl))
	checks.NoError(checks.Same("described", 1, len(described[0].Described)))
	deleted := checks.Must(adm.DeleteACLs(ctx, acl))
	return checks.Same("deleted", 1, len(deleted[0].Deleted))
}

func adminScram(ctx context.Context) error {
	adm, done := admin()
	defer done()
	user := checks.Unique("user")
	upsert := kadm.UpsertSCRAM{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "secret"}
	altered := checks.Must(adm.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{upsert}))
	checks.NoError(altered.Error())
	described := checks.Must(adm.DescribeUserSCRAMs(ctx, user))
	checks.NoError(checks.Same("iterations", 4096, described[user].CredInfos[0].Iterations))
	gone := checks.Must(adm.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: user, Mechanism: kadm.ScramSha512}}, nil))
	return gone.Error()
}

func adminElections(ctx context.Context) error {
	adm, done := admin()
	defer done()
	name := topic(ctx, 1)
	set := kadm.TopicsSet{}
	set.Add(name, 0)
	elected := checks.Must(adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, set))
	if err := elected[name][0].Err; !errors.Is(err, kerr.ElectionNotNeeded) {
		return fmt.Errorf("the election was answered %v", err)
	}
	var request kadm.AlterPartitionAssignmentsReq
	request.Assign(name, 0, []int32{1})
	assigned := checks.Must(adm.AlterPartitionAssignments(ctx, request))
	checks.NoError(assigned.Error())
	listed := checks.Must(adm.ListPartitionReassignments(ctx, set))
	return checks.Same("under way", 0, len(listed))
}
