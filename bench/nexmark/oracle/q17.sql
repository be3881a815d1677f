WITH ranked AS (SELECT *, CASE WHEN price < 10000 THEN 1 WHEN price < 1000000 THEN 2 ELSE 3 END AS rank FROM bid)
SELECT auction, strftime(dateTime, '%Y-%m-%d') AS day,
  count(*) AS total_bids, sum((rank = 1)::INT)::BIGINT AS rank1_bids, sum((rank = 2)::INT)::BIGINT AS rank2_bids,
  sum((rank = 3)::INT)::BIGINT AS rank3_bids,
  min(price) AS min_price, max(price) AS max_price, (sum(price) // count(*))::BIGINT AS avg_price,
  sum(price)::BIGINT AS sum_price
FROM ranked GROUP BY auction, day
