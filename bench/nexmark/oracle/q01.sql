SELECT auction, bidder, price::DECIMAL(19, 0) * 0.908::DECIMAL(3, 3) AS price, dateTime, extra FROM bid
