SELECT auction, bidder, price::DECIMAL(19, 0) * 0.908::DECIMAL(3, 3) AS price,
  CASE WHEN hour(dateTime) BETWEEN 8 AND 18 THEN 'dayTime' WHEN hour(dateTime) IN (7, 19) THEN 'otherTime'
    ELSE 'nightTime' END AS bidTimeType,
  dateTime, extra, len(regexp_extract_all(extra, 'c')) AS c_counts
FROM bid
WHERE price * 908 > 1000000000 AND price * 908 < 50000000000
