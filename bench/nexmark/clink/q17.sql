-- auction BIGINT, day VARCHAR, total_bids BIGINT, rank1_bids BIGINT, rank2_bids BIGINT, rank3_bids BIGINT, min_price BIGINT, max_price BIGINT, avg_price DOUBLE, sum_price BIGINT
SELECT auction, day, COUNT(*) AS total_bids,
  SUM(rank1) AS rank1_bids,
  SUM(rank2) AS rank2_bids,
  SUM(rank3) AS rank3_bids,
  MIN(price) AS min_price, MAX(price) AS max_price, AVG(price) AS avg_price, SUM(price) AS sum_price
FROM (
  SELECT auction,
    price,
    DATE_FORMAT(date_time, 'yyyy-MM-dd') AS day,
    CASE WHEN price < 10000 THEN 1 ELSE 0 END AS rank1,
    CASE WHEN price >= 10000 AND price < 1000000 THEN 1 ELSE 0 END AS rank2,
    CASE WHEN price >= 1000000 THEN 1 ELSE 0 END AS rank3
  FROM bid
) AS ranked
GROUP BY auction, day
