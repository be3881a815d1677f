-- The flat events; {path} is filled in by whoever runs it.
CREATE TABLE events (
  event_type BIGINT, id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR,
  item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, expires BIGINT, seller BIGINT,
  category BIGINT, auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time BIGINT,
  extra VARCHAR
) WITH (connector = 'file', format = 'json', path = '{path}', event_time_column = 'date_time', watermark_lag_ms = '4000');

CREATE VIEW person AS SELECT id, name, email_address, credit_card, city, state, date_time, extra
FROM events WHERE event_type = 0;

CREATE VIEW auction AS
SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra
FROM events WHERE event_type = 1;

CREATE VIEW bid AS SELECT auction, bidder, price, channel, url, date_time, extra FROM events WHERE event_type = 2;
