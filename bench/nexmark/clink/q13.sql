-- auction BIGINT, bidder BIGINT, price BIGINT, date_time BIGINT, value VARCHAR
SELECT b.auction AS auction, b.bidder AS bidder, b.price AS price, b.date_time AS date_time, s.value AS value
FROM bid AS b JOIN side_input FOR SYSTEM_TIME AS OF b.date_time AS s ON b.auction % 10000 = s.key
