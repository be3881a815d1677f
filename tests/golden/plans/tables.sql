-- The tables that the golden plans and errors of SQL are written against.

CREATE TABLE clicks (
  user_id STRING,
  action STRING,
  page STRING,
  amount DECIMAL(10, 2),
  latency INT,
  tags ARRAY<STRING>,
  device ROW<os STRING, version INT>,
  ts TIMESTAMP(3),
  `offset` BIGINT METADATA VIRTUAL,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'clicks',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);

CREATE TABLE events (
  id BIGINT,
  kind STRING,
  millis BIGINT,
  ts AS TO_TIMESTAMP_LTZ(millis, 3),
  WATERMARK FOR ts AS ts - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'filesystem',
  'path' = 'events.ndjson',
  'format' = 'json',
  'scan.watermark.idle-timeout' = '10 s'
);

CREATE TABLE plain (
  id BIGINT,
  name STRING,
  at_time TIMESTAMP(3)
) WITH (
  'connector' = 'filesystem',
  'path' = 'plain.ndjson',
  'format' = 'json'
);

CREATE TABLE archive (
  id BIGINT,
  name STRING,
  device ROW<os STRING, version INT>,
  ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = 'filesystem',
  'path' = 'archive',
  'format' = 'parquet'
);

CREATE TABLE measures (
  id BIGINT NOT NULL,
  name STRING,
  millis BIGINT,
  ts AS TO_TIMESTAMP_LTZ(millis, 3)
) WITH (
  'connector' = 'filesystem',
  'path' = 'measures',
  'format' = 'parquet'
);

CREATE TABLE results (
  window_start TIMESTAMP(3),
  action STRING,
  n BIGINT NOT NULL,
  mean DOUBLE
) WITH ('connector' = 'print');

CREATE VIEW buys AS
SELECT user_id, amount, ts FROM clicks WHERE action = 'buy';

CREATE VIEW per_minute AS
SELECT action, window_time AS minute, COUNT(*) AS n
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, window_time, action;

CREATE TABLE bids (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  at_ms BIGINT,
  ts AS TO_TIMESTAMP_LTZ(at_ms, 3),
  proc AS PROCTIME(),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'bids',
  'properties.bootstrap.servers' = 'localhost:9092',
  'format' = 'json'
);

CREATE TABLE best (
  auction BIGINT,
  `rank` BIGINT,
  price BIGINT,
  PRIMARY KEY (auction, `rank`) NOT ENFORCED
) WITH ('connector' = 'print');

CREATE TABLE rates (
  currency STRING,
  rate DECIMAL(10, 4),
  seen_at TIMESTAMP(3),
  PRIMARY KEY (currency) NOT ENFORCED,
  WATERMARK FOR seen_at AS seen_at - INTERVAL '1' MINUTE
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'rates',
  'properties.bootstrap.servers' = 'localhost:9092',
  'key.format' = 'raw',
  'value.format' = 'json'
);

CREATE VIEW last_clicks AS
SELECT user_id, page, ts FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY ts DESC) AS n FROM clicks
) WHERE n = 1 AND page <> 'home';
