SELECT auction, bidder, price, epoch_ms(date_time) AS dateTime, extra, strftime(epoch_ms(date_time), '%Y-%m-%d') AS day, strftime(epoch_ms(date_time), '%H:%M') AS minute
FROM events WHERE event_type = 2
