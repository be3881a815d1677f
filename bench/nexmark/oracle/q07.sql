WITH top AS (
  SELECT time_bucket(INTERVAL 10 SECOND, dateTime::TIMESTAMP) AS since, max(price) AS price FROM bid GROUP BY since
)
SELECT auction, bid.price, bidder, dateTime, extra
FROM top JOIN bid ON bid.price = top.price AND dateTime >= since AND dateTime <= since + INTERVAL 10 SECOND
