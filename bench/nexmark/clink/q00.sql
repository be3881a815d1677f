-- auction BIGINT, bidder BIGINT, price BIGINT, date_time BIGINT, extra VARCHAR
SELECT auction, bidder, price, date_time, extra FROM bid
