"""A query in yeoul, in streaming mode: rows that change are given as they change."""

from turns import job, take_turns

from yeoul import Session

asked = job()


def run(declared, keep):
    with Session() as session:
        for _ in session.execute("SET 'execution.runtime-mode' = 'streaming';" + declared):
            pass
        if keep:
            rows = session.sql(asked["query"]).pl()
            kinds = rows["op"] if "op" in rows.columns else ["+I"] * rows.height
            return list(zip(kinds, rows.select(one for one in rows.columns if one != "op").rows(), strict=True))
        fields = [one for one in session.sql(asked["query"]).schema.fields if one.name != "op"]
        columns = ", ".join(f"`{one.name}` {one.type}".replace(" ROWTIME", "") for one in fields)
        session.sql(f"CREATE TABLE nowhere ({columns}) WITH ('connector' = 'blackhole')").close()
        session.sql("INSERT INTO nowhere " + asked["query"]).rows()


take_turns(asked, run)
