SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra, a.item_name, a.description, a.initial_bid,
  a.reserve, a.date_time, a.expires, a.seller, a.category, a.extra
FROM events AS b JOIN events AS a ON b.auction = a.id
WHERE b.event_type = 2 AND a.event_type = 1 AND a.category = 10
