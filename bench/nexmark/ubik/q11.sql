SELECT bidder, count(*) AS bids, SESSION(epoch_ms(date_time), INTERVAL 10 SECOND) AS since, max(epoch_ms(date_time) + INTERVAL 10 SECOND) AS till
FROM events WHERE event_type = 2 GROUP BY bidder, SESSION(epoch_ms(date_time), INTERVAL 10 SECOND)
