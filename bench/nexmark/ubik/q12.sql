SELECT bidder, count(*) AS bids, TUMBLE(now(), INTERVAL 10 SECOND) AS w
FROM events WHERE event_type = 2 GROUP BY bidder, TUMBLE(now(), INTERVAL 10 SECOND)
