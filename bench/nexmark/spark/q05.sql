-- append
SELECT counted.auction, counted.num
FROM (
  SELECT auction, num, window(window_time(window), '2 seconds') AS closing
  FROM (
    SELECT auction, count(*) AS num, window FROM bid GROUP BY auction, window(dateTime, '10 seconds', '2 seconds')
  )
) AS counted
JOIN (
  SELECT max(num) AS most, window AS closing
  FROM (
    SELECT num, window_time(window) AS closed
    FROM (
      SELECT count(*) AS num, window FROM bid GROUP BY auction, window(dateTime, '10 seconds', '2 seconds')
    )
  )
  GROUP BY window(closed, '2 seconds')
) AS top
ON counted.closing = top.closing AND counted.num >= top.most
