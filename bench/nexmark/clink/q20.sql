-- auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, bid_date_time BIGINT, bid_extra VARCHAR, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, auction_date_time BIGINT, expires BIGINT, seller BIGINT, category BIGINT, auction_extra VARCHAR
SELECT b.auction AS auction, b.bidder AS bidder, b.price AS price, b.channel AS channel, b.url AS url,
  b.date_time AS bid_date_time, b.extra AS bid_extra, a.item_name AS item_name, a.description AS description,
  a.initial_bid AS initial_bid, a.reserve AS reserve, a.date_time AS auction_date_time, a.expires AS expires,
  a.seller AS seller, a.category AS category, a.extra AS auction_extra
FROM bid AS b JOIN auction AS a ON b.auction = a.id
WHERE a.category = 10
