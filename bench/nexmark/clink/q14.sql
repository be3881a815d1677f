-- auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), kind VARCHAR, date_time BIGINT, extra VARCHAR, c_counts BIGINT
SELECT auction, bidder, 0.908 * price AS price,
  CASE
    WHEN DATE_FORMAT(date_time, 'HH') >= '08' AND DATE_FORMAT(date_time, 'HH') <= '18' THEN 'dayTime'
    WHEN DATE_FORMAT(date_time, 'HH') <= '06' OR DATE_FORMAT(date_time, 'HH') >= '20' THEN 'nightTime'
    ELSE 'otherTime'
  END AS kind,
  date_time, extra, CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', '')) AS c_counts
FROM (SELECT * FROM bid WHERE price > 1101321) AS dear
WHERE price < 55066080
