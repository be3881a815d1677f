-- id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time BIGINT, expires BIGINT, seller BIGINT, category BIGINT, extra VARCHAR, auction BIGINT, bidder BIGINT, price BIGINT, bid_date_time BIGINT, bid_extra VARCHAR
SELECT * FROM (
  SELECT a.id AS id, a.item_name AS item_name, a.description AS description, a.initial_bid AS initial_bid,
    a.reserve AS reserve, a.date_time AS date_time, a.expires AS expires, a.seller AS seller, a.category AS category,
    a.extra AS extra, b.auction AS auction, b.bidder AS bidder, b.price AS price, b.date_time AS bid_date_time,
    b.extra AS bid_extra, ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time ASC) AS place
  FROM auction AS a JOIN bid AS b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
) AS ranked
WHERE place <= 1
