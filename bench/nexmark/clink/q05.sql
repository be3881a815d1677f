-- auction BIGINT, num BIGINT
SELECT auction, num FROM (
  SELECT *, RANK() OVER (PARTITION BY since ORDER BY num DESC) AS place
  FROM (SELECT auction, COUNT(*) AS num, window_start AS since FROM bid GROUP BY auction, HOP(date_time, INTERVAL '10' SECOND, INTERVAL '2' SECOND)) AS counted
) AS ranked
WHERE place <= 1
