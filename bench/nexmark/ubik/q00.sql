SELECT auction, bidder, price, epoch_ms(date_time) AS dateTime, extra FROM events WHERE event_type = 2
