-- The same stream with all fields side by side, named in lower case, times as numbers of milliseconds: for engines that
-- read no object within an object, fold names to lower case or take no other times.
CREATE TABLE events (
  event_type INT, id BIGINT, name STRING, email_address STRING, credit_card STRING, city STRING, state STRING,
  item_name STRING, description STRING, initial_bid BIGINT, reserve BIGINT, expires BIGINT, seller BIGINT,
  category BIGINT, auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time BIGINT,
  extra STRING,
  `dateTime` AS CAST(TO_TIMESTAMP_LTZ(date_time, 3) AS TIMESTAMP(3)),
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH ({options});

CREATE VIEW person AS
SELECT id, name, email_address AS emailAddress, credit_card AS creditCard, city, state, `dateTime`, extra
FROM events WHERE event_type = 0;

CREATE VIEW auction AS
SELECT id, item_name AS itemName, description, initial_bid AS initialBid, reserve, `dateTime`,
  CAST(TO_TIMESTAMP_LTZ(expires, 3) AS TIMESTAMP(3)) AS expires, seller, category, extra
FROM events WHERE event_type = 1;

CREATE VIEW bid AS
SELECT auction, bidder, price, channel, url, `dateTime`, extra FROM events WHERE event_type = 2;
