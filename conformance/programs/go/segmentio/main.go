// Checks of segmentio/kafka-go. The only argument is the broker's address.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"

	"conformance/checks"
)

var broker string

func main() {
	broker = os.Args[1]
	all := map[string]checks.Check{
		"headers_keys_timestamps": headersKeysTimestamps,
		"groups":                  groups,
		"admin":                   admin,
	}
	codecs := map[string]kafka.Compression{
		"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}
	for name, codec := range codecs {
		all["compression_"+name] = func(ctx context.Context) error { return roundTrip(ctx, codec) }
	}
	checks.Serve(all)
}

func client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(broker)}
}

func topic(ctx context.Context, partitions int) string {
	name := checks.Unique("segmentio")
	configs := []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}}
	answer := checks.Must(client().CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: configs}))
	checks.NoError(answer.Errors[name])
	return name
}

func write(ctx context.Context, name string, codec kafka.Compression, messages ...kafka.Message) {
	writer := &kafka.Writer{
		Addr: kafka.TCP(broker), Topic: name, Compression: codec, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, Balancer: &kafka.RoundRobin{},
	}
	checks.NoError(writer.WriteMessages(ctx, messages...))
	checks.NoError(writer.Close())
}

func numbered(count int) []kafka.Message {
	messages := make([]kafka.Message, count)
	for i := range messages {
		messages[i].Value = fmt.Appendf(nil, "value %d", i)
	}
	return messages
}

func read(ctx context.Context, config kafka.ReaderConfig, count int) []kafka.Message {
	config.Brokers, config.MaxWait = []string{broker}, 100*time.Millisecond
	reader := kafka.NewReader(config)
	messages := make([]kafka.Message, count)
	for i := range messages {
		messages[i] = checks.Must(reader.ReadMessage(ctx))
	}
	checks.NoError(reader.Close())
	return messages
}

func roundTrip(ctx context.Context, codec kafka.Compression) error {
	name := topic(ctx, 1)
	write(ctx, name, codec, numbered(1_000)...)
	got := read(ctx, kafka.ReaderConfig{Topic: name}, 1_000)
	return checks.Same("last value", "value 999", string(got[999].Value))
}

func headersKeysTimestamps(ctx context.Context) error {
	name := topic(ctx, 1)
	sent := kafka.Message{
		Key: []byte("키"), Value: []byte("값"), Time: time.UnixMilli(1_234_567_890_123),
		Headers: []kafka.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{}}},
	}
	write(ctx, name, 0, sent)
	got := read(ctx, kafka.ReaderConfig{Topic: name}, 1)[0]
	return errors.Join(
		checks.Same("key", "키", string(got.Key)),
		checks.Same("value", "값", string(got.Value)),
		checks.Same("timestamp", sent.Time.UnixMilli(), got.Time.UnixMilli()),
		checks.Same("headers", sent.Headers, got.Headers),
	)
}

// groups reads a topic with two members, one after the other: the second goes on where the first left off.
func groups(ctx context.Context) error {
	name := topic(ctx, 3)
	write(ctx, name, 0, numbered(300)...)
	config := kafka.ReaderConfig{Topic: name, GroupID: checks.Unique("group"), StartOffset: kafka.FirstOffset}
	different := map[string]bool{}
	for range 2 {
		for _, each := range read(ctx, config, 150) {
			different[string(each.Value)] = true
		}
	}
	return checks.Same("different values", 300, len(different))
}

func admin(ctx context.Context) error {
	name := topic(ctx, 2)
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: name}
	described := checks.Must(client().DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{resource},
	}))
	checks.NoError(described.Resources[0].Error)
	metadata := checks.Must(client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}}))
	checks.NoError(checks.Same("partitions", 2, len(metadata.Topics[0].Partitions)))
	deleted := checks.Must(client().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}}))
	return deleted.Errors[name]
}
