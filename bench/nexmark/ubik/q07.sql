SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM events AS b JOIN (SELECT max(price) AS most, TUMBLE(epoch_ms(date_time), INTERVAL 10 SECOND) AS since FROM events WHERE event_type = 2 GROUP BY TUMBLE(epoch_ms(date_time), INTERVAL 10 SECOND)) AS top
ON b.price = top.most AND epoch_ms(b.date_time) BETWEEN top.since AND top.since + INTERVAL 10 SECOND
