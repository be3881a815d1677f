SELECT id, itemName, description, initialBid, reserve, auction.dateTime, expires, seller, category, auction.extra,
  bid.auction, bidder, price, bid.dateTime AS bid_dateTime, bid.extra AS bid_extra
FROM auction JOIN bid ON bid.auction = id AND bid.dateTime >= auction.dateTime AND bid.dateTime <= expires
QUALIFY bid.event = first(bid.event) OVER (PARTITION BY id ORDER BY price DESC, bid.dateTime, bid.event)
