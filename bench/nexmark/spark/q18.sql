-- update: a rank is refused on streams, so an aggregate takes the last bid
SELECT last.auction, last.bidder, last.price, last.channel, last.url, last.dateTime, last.extra
FROM (
  SELECT max_by(struct(auction, bidder, price, channel, url, dateTime, extra), dateTime) AS last
  FROM bid GROUP BY bidder, auction
)
