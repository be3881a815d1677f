-- Every bid as it is: what reading, decoding and handing on cost.
SELECT auction, bidder, price, `dateTime`, extra FROM bid
