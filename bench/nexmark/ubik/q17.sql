SELECT auction, strftime(epoch_ms(date_time), '%Y-%m-%d') AS day, count(*) AS total_bids,
  sum(CASE WHEN price < 10000 THEN 1 ELSE 0 END) AS rank1_bids,
  sum(CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END) AS rank2_bids,
  sum(CASE WHEN price >= 1000000 THEN 1 ELSE 0 END) AS rank3_bids,
  min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price
FROM events WHERE event_type = 2 GROUP BY auction, strftime(epoch_ms(date_time), '%Y-%m-%d')
