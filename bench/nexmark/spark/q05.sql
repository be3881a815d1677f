-- append
SELECT counted.auction, counted.num
FROM (
  SELECT auction, count(*) AS num, window FROM bid GROUP BY auction, window(dateTime, '10 seconds', '2 seconds')
) AS counted
JOIN (
  SELECT max(num) AS most, window
  FROM (SELECT count(*) AS num, window FROM bid GROUP BY auction, window(dateTime, '10 seconds', '2 seconds'))
  GROUP BY window
) AS top
ON counted.window = top.window AND counted.num >= top.most
