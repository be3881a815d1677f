WITH ticks AS (
  SELECT unnest(generate_series(0, 4)) * 2 AS back
), counted AS (
  SELECT auction, time_bucket(INTERVAL 2 SECOND, dateTime::TIMESTAMP) - to_seconds(back) AS since, count(*) AS num
  FROM bid, ticks GROUP BY ALL
)
SELECT auction, num FROM counted QUALIFY num = max(num) OVER (PARTITION BY since)
