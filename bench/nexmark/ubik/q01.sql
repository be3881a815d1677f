SELECT auction, bidder, 0.908 * price AS price, epoch_ms(date_time) AS dateTime, extra FROM events WHERE event_type = 2
