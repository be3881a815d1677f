SELECT auction, price FROM events WHERE event_type = 2 AND auction % 123 = 0
