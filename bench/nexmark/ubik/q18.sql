SELECT auction, bidder, max_by(price, date_time) AS price, max_by(channel, date_time) AS channel,
  max_by(url, date_time) AS url, max(date_time) AS dateTime, max_by(extra, date_time) AS extra
FROM events WHERE event_type = 2 GROUP BY auction, bidder
