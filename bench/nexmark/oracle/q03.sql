SELECT name, city, state, auction.id
FROM person, auction
WHERE person.id = seller AND category = 10 AND state IN ('CA', 'ID', 'OR')
