SELECT counted.auction, counted.num
FROM (SELECT auction, count(*) AS num, HOP(epoch_ms(date_time), INTERVAL 2 SECOND, INTERVAL 10 SECOND) AS w FROM events WHERE event_type = 2 GROUP BY auction, HOP(epoch_ms(date_time), INTERVAL 2 SECOND, INTERVAL 10 SECOND)) AS counted
JOIN (
  SELECT max(num) AS most, w
  FROM (SELECT count(*) AS num, HOP(epoch_ms(date_time), INTERVAL 2 SECOND, INTERVAL 10 SECOND) AS w FROM events WHERE event_type = 2 GROUP BY auction, HOP(epoch_ms(date_time), INTERVAL 2 SECOND, INTERVAL 10 SECOND))
  GROUP BY w
) AS top
ON counted.w = top.w AND counted.num >= top.most
