SELECT DISTINCT person.id, name, time_bucket(INTERVAL 10 SECOND, person.dateTime::TIMESTAMP) AS window_start
FROM person
WHERE EXISTS (
  FROM auction
  WHERE seller = person.id
    AND epoch_ms(auction.dateTime) // 10000 = epoch_ms(person.dateTime) // 10000
)
