SELECT auction, bidder, price, dateTime, side.value
FROM bid JOIN side_input AS side ON side.key = auction % 10000
