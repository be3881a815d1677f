-- Every bid with what a side table, looked up as it is now, knows about its auction.
SELECT b.auction, b.bidder, b.price, b.`dateTime`, s.`value`
FROM timed_bid AS b
JOIN side_input FOR SYSTEM_TIME AS OF b.seen_at AS s ON MOD(b.auction, 10000) = s.`key`
