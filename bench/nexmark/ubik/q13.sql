SELECT b.auction, b.bidder, b.price, epoch_ms(b.date_time) AS dateTime, s.value
FROM events AS b JOIN side_input AS s ON b.auction % 10000 = s.key WHERE b.event_type = 2
