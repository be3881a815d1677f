// Checks of IBM/sarama. The only argument is the broker's address.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"conformance/checks"
)

var broker string

func main() {
	broker = os.Args[1]
	all := map[string]checks.Check{
		"headers_keys_timestamps":       headersKeysTimestamps,
		"idempotent_order":              idempotentOrder,
		"transactions_commit_and_abort": transactions,
		"admin":                         admin,
	}
	codecs := map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}
	for name, codec := range codecs {
		all["compression_"+name] = func(ctx context.Context) error { return roundTrip(ctx, codec) }
	}
	strategies := map[string]sarama.BalanceStrategy{
		"range": sarama.NewBalanceStrategyRange(), "roundrobin": sarama.NewBalanceStrategyRoundRobin(),
		"sticky": sarama.NewBalanceStrategySticky(),
	}
	for name, strategy := range strategies {
		all["classic_"+name] = func(ctx context.Context) error { return membersComeAndGo(ctx, strategy) }
	}
	checks.Serve(all)
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V4_0_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	return config
}

func topic(partitions int32) string {
	cluster := checks.Must(sarama.NewClusterAdmin([]string{broker}, settings()))
	defer cluster.Close()
	name := checks.Unique("sarama")
	checks.NoError(cluster.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	return name
}

func numbered(topic string, count int) []*sarama.ProducerMessage {
	messages := make([]*sarama.ProducerMessage, count)
	for i := range messages {
		value := sarama.StringEncoder(fmt.Sprintf("value %d", i))
		messages[i] = &sarama.ProducerMessage{Topic: topic, Value: value}
	}
	return messages
}

func send(config *sarama.Config, messages ...*sarama.ProducerMessage) {
	producer := checks.Must(sarama.NewSyncProducer([]string{broker}, config))
	checks.NoError(producer.SendMessages(messages))
	checks.NoError(producer.Close())
}

// read returns so many messages of partition 0, from its beginning.
func read(ctx context.Context, topic string, count int) []*sarama.ConsumerMessage {
	consumer := checks.Must(sarama.NewConsumer([]string{broker}, settings()))
	defer consumer.Close()
	partition := checks.Must(consumer.ConsumePartition(topic, 0, sarama.OffsetOldest))
	defer partition.Close()
	var messages []*sarama.ConsumerMessage
	for len(messages) < count {
		select {
		case message := <-partition.Messages():
			messages = append(messages, message)
		case <-ctx.Done():
			panic(fmt.Sprintf("read only %d", len(messages)))
		}
	}
	return messages
}

func roundTrip(ctx context.Context, codec sarama.CompressionCodec) error {
	name, config := topic(1), settings()
	config.Producer.Compression = codec
	send(config, numbered(name, 1_000)...)
	got := read(ctx, name, 1_000)
	return checks.Same("last value", "value 999", string(got[999].Value))
}

func headersKeysTimestamps(ctx context.Context) error {
	name := topic(1)
	sent := &sarama.ProducerMessage{
		Topic: name, Key: sarama.StringEncoder("키"), Timestamp: time.UnixMilli(1_234_567_890_123),
		Headers: []sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}},
	}
	send(settings(), sent)
	got := read(ctx, name, 1)[0]
	return errors.Join(
		checks.Same("key", "키", string(got.Key)),
		checks.Same("null value", 0, len(got.Value)),
		checks.Same("timestamp", sent.Timestamp.UnixMilli(), got.Timestamp.UnixMilli()),
		checks.Same("header", "1", string(got.Headers[0].Value)),
	)
}

func idempotentOrder(ctx context.Context) error {
	name, config := topic(1), settings()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Flush.MaxMessages = 50
	send(config, numbered(name, 2_000)...)
	for i, each := range read(ctx, name, 2_000) {
		checks.NoError(checks.Same("value", fmt.Sprintf("value %d", i), string(each.Value)))
	}
	return nil
}

func transactions(ctx context.Context) error {
	name, config := topic(1), settings()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Transaction.ID = checks.Unique("tx")
	producer := checks.Must(sarama.NewSyncProducer([]string{broker}, config))
	defer producer.Close()
	for round := range 6 {
		checks.NoError(producer.BeginTxn())
		checks.NoError(producer.SendMessages(numbered(name, 10)))
		if round%2 == 0 {
			checks.NoError(producer.CommitTxn())
		} else {
			checks.NoError(producer.AbortTxn())
		}
	}
	send(settings(), &sarama.ProducerMessage{Topic: name, Value: sarama.StringEncoder("the end")})
	got := read(ctx, name, 31)
	return checks.Same("the thirty-first", "the end", string(got[30].Value))
}

// counter consumes what it is given and counts it.
type counter struct {
	messages *atomic.Int64
	claims   chan int
}

func (c *counter) Setup(session sarama.ConsumerGroupSession) error {
	sum := 0
	for _, each := range session.Claims() {
		sum += len(each)
	}
	c.claims <- sum
	return nil
}

func (c *counter) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *counter) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			c.messages.Add(1)
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func join(ctx context.Context, group, name string, config *sarama.Config, messages *atomic.Int64) (*counter, func()) {
	member := checks.Must(sarama.NewConsumerGroup([]string{broker}, group, config))
	handler := &counter{messages, make(chan int, 100)}
	inner, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for inner.Err() == nil && member.Consume(inner, []string{name}, handler) == nil {
		}
	}()
	return handler, func() {
		cancel()
		<-done
		member.Close()
	}
}

func (c *counter) waitFor(ctx context.Context, partitions int) {
	for got := -1; got != partitions; {
		select {
		case got = <-c.claims:
		case <-ctx.Done():
			panic(fmt.Sprintf("a member never had %d partitions", partitions))
		}
	}
}

func membersComeAndGo(ctx context.Context, strategy sarama.BalanceStrategy) error {
	name, group, config := topic(4), checks.Unique("group"), settings()
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	send(config, numbered(name, 200)...)
	var messages atomic.Int64
	first, leaveFirst := join(ctx, group, name, config, &messages)
	defer leaveFirst()
	first.waitFor(ctx, 4)
	second, leaveSecond := join(ctx, group, name, config, &messages)
	first.waitFor(ctx, 2)
	second.waitFor(ctx, 2)
	leaveSecond()
	first.waitFor(ctx, 4)
	for messages.Load() < 200 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	return checks.Same("messages at least", true, messages.Load() >= 200)
}

func admin(_ context.Context) error {
	name := topic(1)
	cluster := checks.Must(sarama.NewClusterAdmin([]string{broker}, settings()))
	defer cluster.Close()
	checks.NoError(cluster.CreatePartitions(name, 3, nil, false))
	described := checks.Must(cluster.DescribeTopics([]string{name}))
	checks.NoError(checks.Same("partitions", 3, len(described[0].Partitions)))
	value := "12345"
	checks.NoError(cluster.IncrementalAlterConfig(sarama.TopicResource, name,
		map[string]sarama.IncrementalAlterConfigsEntry{
			"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
		}, false))
	entries := checks.Must(cluster.DescribeConfig(sarama.ConfigResource{
		Type: sarama.TopicResource, Name: name, ConfigNames: []string{"retention.ms"},
	}))
	checks.NoError(checks.Same("retention.ms", value, entries[0].Value))
	send(settings(), numbered(name, 10)...)
	checks.Must(cluster.ListConsumerGroups())
	checks.Must(cluster.DescribeLogDirs([]int32{1}))
	checks.NoError(cluster.DeleteTopic(name))
	listed := checks.Must(cluster.ListTopics())
	_, ok := listed[name]
	return checks.Same("still listed", false, ok)
}
