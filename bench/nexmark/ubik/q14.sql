SELECT auction, bidder, 0.908 * price AS price,
  CASE
    WHEN hour(epoch_ms(date_time)) >= 8 AND hour(epoch_ms(date_time)) <= 18 THEN 'dayTime'
    WHEN hour(epoch_ms(date_time)) <= 6 OR hour(epoch_ms(date_time)) >= 20 THEN 'nightTime'
    ELSE 'otherTime'
  END AS bidTimeType,
  epoch_ms(date_time) AS dateTime, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
FROM events WHERE event_type = 2 AND 0.908 * price > 1000000 AND 0.908 * price < 50000000
